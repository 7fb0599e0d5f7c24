package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/explain"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/undo"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/peering"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/rotation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token     = "fixture-token-0123456789abcdef"
	operators = "fixture-enrol-token-0123456789ab"
	record    = "Rk1SACAyMAAAAAA2AAABAAEsAMUAxQEAAgBQBEAoADIAAEBNAE89AEByAGx6AEA2AIm3AAAA"
	asking    = `{"subject":{"jurisdiction":"KGZ","type":"passport","value":"AC 1234567"},"probes":[{"modality":"finger","format":"iso-19794-2-2005","position":2,"quality":80,"data":"` + record + `"}],"purpose":"border_control","legal_basis":"public_task","officer":"a.serikova"}`
	enrolling = `{"subject":{"type":"national_number","value":"900101300123"},"biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":"` + record + `"}]}`
)

// fake is a node that does as it is told. Its fields are set before it is served.
type fake struct {
	check  checkup.Progress
	verify func(context.Context, requester.Request) (requester.Result, error)
	enrol  func(context.Context, []gallery.Enrolment) ([]gallery.Result, error)
	audit  func(context.Context) (ledger.Report, error)
	undo   func(context.Context, string) (undo.Done, error)
	erase  func(pseudonym.Identifier) (int, error)
	renew  func() (registrar.Renewal, error)
	copied func(config.Store) (snapshot.Copied, error)
	status node.Status
	peers  []peering.Peer

	takeUp   func() (map[keys.Family]rotation.Retirement, error)
	retiring map[keys.Family]rotation.Retirement
	replicas []presence.Other
	canaries []decoy.Canary

	raised    []alarms.Alarm
	alarmsErr error
	withdraw  func(string) (node.Withdrawal, error)

	search requester.Search // the last that was asked
	found  requester.Result // what came of it

	mu      sync.Mutex
	asked   int
	enroled int
	planned int
}

func (f *fake) Identify(_ context.Context, q requester.Search) (requester.Result, error) {
	return f.searched(q)
}

func (f *fake) Resolve(_ context.Context, q requester.Search) (requester.Result, error) {
	return f.searched(q)
}

func (f *fake) searched(q requester.Search) (requester.Result, error) {
	q.Probe.Data = slices.Clone(q.Probe.Data) // wiped once it is answered
	f.search = q
	return f.found, nil
}

func (f *fake) Verify(ctx context.Context, r requester.Request) (requester.Result, error) {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	if f.verify == nil {
		return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 1000}}, nil
	}
	return f.verify(ctx, r)
}

func (f *fake) Backup(_ context.Context, w io.Writer, _ []string, _ func(string, uint64)) (backup.Manifest, error) {
	_, err := io.WriteString(w, "{}") // what stands for an age file
	return backup.Manifest{EntityID: "https://node.kaz.example"}, err
}

func (f *fake) Finality() registrar.Finality {
	return registrar.Finality{KEK: 7, By: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)}
}

func (f *fake) Escrow(context.Context, []string) ([]byte, backup.Manifest, error) {
	return []byte("{}"), backup.Manifest{}, nil
}

func (f *fake) Enrol(ctx context.Context, b []gallery.Enrolment) ([]gallery.Result, error) {
	f.mu.Lock()
	f.enroled += len(b)
	f.mu.Unlock()
	if f.enrol != nil {
		return f.enrol(ctx, b)
	}
	out := make([]gallery.Result, len(b))
	for i := range out {
		out[i].Change = gallery.Created
	}
	return out, nil
}

func (f *fake) Plan(_ context.Context, b []gallery.Enrolment) ([]gallery.Result, error) {
	f.mu.Lock()
	f.planned += len(b)
	f.mu.Unlock()
	out := make([]gallery.Result, len(b))
	for i := range out {
		out[i].Change = gallery.Unchanged
	}
	return out, nil
}

func (f *fake) Undo(ctx context.Context, batch string) (undo.Done, error) {
	if f.undo == nil {
		return undo.Done{Subjects: 2, Reduced: 1, Records: 5}, nil
	}
	return f.undo(ctx, batch)
}

func (f *fake) Erase(_ context.Context, id pseudonym.Identifier) (int, error) {
	if f.erase == nil {
		return 3, nil
	}
	return f.erase(id)
}

func (f *fake) RenewTemplates(context.Context) (registrar.Renewal, error) {
	if f.renew == nil {
		return registrar.Renewal{State: registrar.RenewalRunning, Generation: 2, Subjects: 9}, nil
	}
	return f.renew()
}

func (f *fake) TakeUpKeys(context.Context) (map[keys.Family]rotation.Retirement, error) {
	if f.takeUp != nil {
		return f.takeUp()
	}
	return f.Retirements(), nil
}

func (f *fake) Retirements() map[keys.Family]rotation.Retirement { return f.retiring }

func (f *fake) Replicas() []presence.Other { return f.replicas }

func (f *fake) Renewal() registrar.Renewal {
	r, err := f.RenewTemplates(context.Background())
	if err != nil {
		return registrar.Renewal{State: registrar.RenewalFailed, Generation: 2, Err: err}
	}
	return r
}

func (f *fake) CopyGallery(_ context.Context, to config.Store, _ func(uint64)) (snapshot.Copied, error) {
	if f.copied == nil {
		return snapshot.Copied{Subjects: 2, Rows: 10, Written: 10}, nil
	}
	return f.copied(to)
}

func (f *fake) CheckGallery() checkup.Progress {
	return checkup.Progress{State: checkup.Running, What: "bytes"}
}

func (f *fake) GalleryCheck() checkup.Progress {
	if f.check.State == "" {
		return checkup.Progress{State: checkup.Idle}
	}
	return f.check
}

func (f *fake) VerifyLedger(ctx context.Context) (ledger.Report, error) {
	if f.audit == nil {
		return ledger.Report{Size: 3, Root: [32]byte{1}}, nil
	}
	return f.audit(ctx)
}

func (f *fake) BiometricData() []inventory.Entry { return inventory.Builtin("KGZ") }

func (f *fake) Laws() []lawbook.Publication {
	return []lawbook.Publication{{Version: "1", Text: []byte("law")}}
}

func (f *fake) PublishLaw(_ context.Context, proposal []byte, approvals []string) (lawbook.Publication, error) {
	if len(approvals) < 2 {
		return lawbook.Publication{}, lawbook.ErrApproval
	}
	return lawbook.Publication{Number: 1, Version: "2", Operators: []string{"a", "b"}, Text: proposal}, nil
}

func (f *fake) SimulateLaw(context.Context, []byte, uint64, string) (lawbook.Simulation, error) {
	return lawbook.Simulation{Entries: 3, Decisions: 1, Groups: []lawbook.Group{{Direction: "answer", Count: 1}}}, nil
}

func (f *fake) Peers() []peering.Peer { return f.peers }

func (f *fake) PeerChain(id trust.EntityID) []explain.Statement {
	return []explain.Statement{{Kind: explain.Configuration, Issuer: id, Subject: id, Fetched: true}}
}

func (f *fake) TrustAnchors() []peering.AnchorState {
	return []peering.AnchorState{{EntityID: "https://anchor.example", Sequence: 3}}
}

func (f *fake) Suspended() bool { return false }

func (f *fake) PausePeer(name, _ string, _ bool) (trust.EntityID, error) { return f.named(name) }

func (f *fake) ResumePeer(name string) (trust.EntityID, error) { return f.named(name) }

func (f *fake) ExplainTrust(_ context.Context, name string) (peering.Explanation, error) {
	id, err := f.named(name)
	return peering.Explanation{Explanation: explain.Explanation{Entity: id, Outcome: explain.Accepted}}, err
}

func (f *fake) TestPeer(_ context.Context, name string) (peering.Report, error) {
	id, err := f.named(name)
	return peering.Report{Peer: id, Stages: []peering.Stage{{Name: "clock", State: peering.OK, Detail: "within 1s"}}, Clocked: true}, err
}

func (f *fake) PingPeer(ctx context.Context, name string) (peering.Report, error) {
	return f.TestPeer(ctx, name)
}

// named knows KGZ alone.
func (f *fake) named(name string) (trust.EntityID, error) {
	switch name {
	case "KGZ":
		return "https://node.kgz.example", nil
	case "UZB":
		return "", fmt.Errorf("pausing: %w", peering.ErrPaused)
	}
	return "", trust.ErrNotMember
}

func (*fake) Officer(string) string      { return "pseudonym-0001" }
func (f *fake) Status() node.Status      { return f.status }
func (*fake) Jurisdiction() string       { return "KAZ" }
func (*fake) CheckToken(got string) bool { return got == token }

func (*fake) CheckEnrolToken(got string) bool { return got == operators }

func (*fake) Prove(challenge []byte) (api, enrol []byte) {
	return append([]byte("api proof of "), challenge...), append([]byte("enrol proof of "), challenge...)
}

var _ api.Node = (*fake)(nil)

// newRequest is a request that the guard lets through.
func newRequest(method, path, body string) *http.Request {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, r)
	req.Host = "127.0.0.1:8440"
	req.Header.Set("Authorization", "Bearer "+token)
	switch path {
	case "/v1/verifications", "/v1/identifications", "/v1/resolutions":
		req.Header.Set("Content-Type", "application/json")
	case "/v1/enrolments":
		req.Header.Set("Content-Type", "application/x-ndjson")
		req.Header.Set("Authorization", "Bearer "+operators)
	case "/v1/backups", "/v1/escrows":
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+operators)
	case "/v1/enrolments/undo", "/v1/subjects/erase", "/v1/consents/withdrawals", "/v1/canaries", "/v1/gallery/copy", "/v1/peers/test", "/v1/peers/pause", "/v1/peers/resume", "/v1/trust/explanations",
		"/v1/law/publications", "/v1/law/simulations":
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+operators)
	case "/v1/ledger/verifications", "/v1/templates/renewal", "/v1/gallery/check", "/v1/keys", "/v1/alarms":
		req.Header.Set("Authorization", "Bearer "+operators)
	}
	return req
}

// send returns the response and its body, and checks what every response has.
func send(t testing.TB, h http.Handler, r *http.Request) (*http.Response, map[string]any) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	res := rec.Result()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Access-Control-Allow-Origin": ""} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var body map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Fatalf("status %d: body is not JSON: %v", res.StatusCode, err)
	}
	if bytes.Contains(rec.Body.Bytes(), []byte("$schema")) {
		t.Error("the body has a $schema member")
	}
	problem := res.Header.Get("Content-Type") == "application/problem+json"
	if problem != (res.StatusCode != http.StatusOK) {
		t.Errorf("status %d has Content-Type %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
	if problem {
		checkProblem(t, res, body)
	}
	return res, body
}

func checkProblem(t testing.TB, res *http.Response, body map[string]any) {
	t.Helper()
	code, _ := body["code"].(string)
	e, ok := protocol.Lookup(protocol.Code(code))
	if sentences.In(sentences.Russian, e).Title == body["title"] {
		e = sentences.In(sentences.Russian, e) // whether it was asked for, TestAcceptLanguage knows
	}
	if !ok || body["title"] != e.Title || body["next"] != e.Next || body["type"] != "urn:tamga:problem:"+code {
		t.Errorf("problem does not follow from its code: %v", body)
	}
	if body["status"] != float64(res.StatusCode) {
		t.Errorf("status member is %v, status %d", body["status"], res.StatusCode)
	}
}

// violation is the first entry of errors.
func violation(body map[string]any) (pointer, rule string) {
	list, _ := body["errors"].([]any)
	if len(list) == 0 {
		return "none", "none"
	}
	v := list[0].(map[string]any)
	return v["pointer"].(string), v["rule"].(string)
}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func (f *fake) WithdrawConsent(_ context.Context, token string) (node.Withdrawal, error) {
	if f.withdraw == nil {
		return node.Withdrawal{Fresh: true, Peer: "https://kaz.example", Told: true}, nil
	}
	return f.withdraw(token)
}

func (f *fake) AddCanaries(_ context.Context, subjects []pseudonym.Identifier) error {
	for _, s := range subjects {
		id, err := s.Normalize()
		if err != nil {
			return err
		}
		f.canaries = append(f.canaries, decoy.Canary{Subject: id, Since: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)})
	}
	return nil
}

func (f *fake) Canaries() ([]decoy.Canary, error) { return f.canaries, nil }

func (f *fake) Alarms() ([]alarms.Alarm, error) { return f.raised, f.alarmsErr }
