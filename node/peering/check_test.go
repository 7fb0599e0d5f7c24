package peering_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/node/peering"
)

// answering are the means of a test of KGZ, whose clock is ahead by so much, and which ends a
// verification about nobody with code.
func (r *region) answering(t *testing.T, ahead time.Duration, code protocol.Code) peering.Probing {
	kgz := r.members["KGZ"]
	return peering.Probing{
		Exchange: func(ctx context.Context, to transport.PeerID, _, proto string, frame []byte) ([]byte, error) {
			switch {
			case to != kgz.host.PeerID():
				return nil, errors.New("another peer")
			case proto == transport.ProtocolTrust:
				return endpoint.ServeFrame(entity("KGZ"), func(endpoint.Request) endpoint.Response { return endpoint.Response{Body: kgz.token} }, frame), nil
			case proto == transport.ProtocolListing:
				return kgz.Serve(ctx, r.members["KAZ"].host.PeerID(), frame)
			}
			token, err := jose.Sign(key(t, "protocol KGZ"), protocol.TypeRefusal, fmt.Appendf(nil, `{"iat":%d,"code":%q}`, time.Now().Add(ahead).Unix(), protocol.CodeExpired))
			return []byte(token), err
		},
		Stale: func(trust.Node, time.Time) ([]byte, error) { return []byte("stale"), nil },
		Verify: func(_ context.Context, to trust.Node) (protocol.Code, error) {
			if to.EntityID != entity("KGZ") {
				return "", errors.New("another peer")
			}
			if code == "" {
				return "", errors.New("the disk is full")
			}
			return code, nil
		},
	}
}

// stage finds one stage of a report.
func stage(t *testing.T, r peering.Report, name string) peering.Stage {
	t.Helper()
	i := slices.IndexFunc(r.Stages, func(s peering.Stage) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no stage %s in %+v", name, r.Stages)
	}
	return r.Stages[i]
}

// TestClock: clocks further apart than Queries bear are a fault of either side's, whichever is ahead.
func TestClock(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ")
	for _, c := range []struct {
		ahead time.Duration
		state string
	}{{0, peering.OK}, {4 * time.Second, peering.OK}, {time.Hour, peering.Failed}, {-time.Hour, peering.Failed}} {
		got, err := r.members["KAZ"].Test(t.Context(), "KGZ", r.answering(t, c.ahead, protocol.CodeSubjectUnknown))
		if err != nil {
			t.Fatal(err)
		}
		s := stage(t, got, "clock")
		if s.State != c.state || got.OK() != (c.state == peering.OK) || !got.Clocked {
			t.Errorf("%s ahead: %+v", c.ahead, s)
		}
		if off := got.Skew - c.ahead; off < -2*time.Second || off > 5*time.Second {
			t.Errorf("%s ahead: measured %s", c.ahead, got.Skew)
		}
		if c.state == peering.Failed && (s.Side != peering.Between || s.Next == "" || !strings.Contains(s.Detail, "from this one")) {
			t.Errorf("%s ahead: %+v", c.ahead, s)
		}
	}
}

// TestVerification: a verification about nobody that ran, was refused, or could not be is told
// apart, and whoever's law lacks the rule is shown one that is good.
func TestVerification(t *testing.T) {
	r := newRegion(t)
	r.purposes = []string{"sandbox_test"}
	r.members["KAZ"], r.members["KGZ"] = r.join(t, "KAZ"), r.join(t, "KGZ")
	kaz := r.members["KAZ"]
	r.tell(t, kaz)
	r.tell(t, r.members["KGZ"])
	for _, c := range []struct {
		code              protocol.Code
		state, side, word string
	}{
		{protocol.CodeSubjectUnknown, peering.OK, "", "with a receipt that verifies"},
		{protocol.CodeOwnLaw, peering.Skipped, peering.Ours, "own law"},
		{protocol.CodeLaw, peering.Warning, peering.Theirs, "TMG-LAW-0001"},
		{protocol.CodeConsentMissing, peering.Warning, peering.Theirs, "TMG-CNS-0001"},
		{protocol.CodeBudget, peering.Warning, peering.Theirs, "TMG-LIM-0002"},
		{protocol.CodeReceiptInvalid, peering.Failed, peering.Theirs, "TMG-ANS-0002"},
		{"", peering.Failed, peering.Ours, "the disk is full"},
	} {
		got, err := kaz.Test(t.Context(), "KGZ", r.answering(t, 0, c.code))
		if err != nil {
			t.Fatal(err)
		}
		s := stage(t, got, "verification")
		if s.State != c.state || s.Side != c.side || !strings.Contains(s.Detail, c.word) || (s.Next == "") != (c.side == "") || got.OK() != (c.state != peering.Failed) {
			t.Errorf("%s: %+v", c.code, s)
		}
		country := map[protocol.Code]string{protocol.CodeOwnLaw: "KAZ", protocol.CodeLaw: "KGZ", protocol.CodeConsentMissing: "KGZ"}[c.code]
		if country != "" {
			goodRule(t, s.Next, country)
		}
	}
}

// TestNoSandbox: a peer whose law does not have the purpose is not asked.
func TestNoSandbox(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ")
	with := r.answering(t, 0, protocol.CodeSubjectUnknown)
	with.Verify = func(context.Context, trust.Node) (protocol.Code, error) {
		t.Error("asked")
		return protocol.CodeLaw, nil
	}
	got, err := r.members["KAZ"].Test(t.Context(), "KGZ", with)
	if err != nil {
		t.Fatal(err)
	}
	s := stage(t, got, "verification")
	if s.State != peering.Skipped || s.Side != peering.Theirs || !got.OK() {
		t.Errorf("%+v", s)
	}
	goodRule(t, s.Next, "KGZ")
}

// goodRule adds the rule that the advice shows to the built-in law, which then allows the test.
func goodRule(t *testing.T, advice, country string) {
	t.Helper()
	i := strings.Index(advice, "@id(")
	if i < 0 || !strings.Contains(advice, "law of "+country) {
		t.Fatalf("no rule of %s in %q", country, advice)
	}
	text, _ := policy.Builtin(country)
	law, err := policy.Load("law.cedar", append(slices.Clone(text), "\n"+advice[i:]+"\n"...))
	if err != nil {
		t.Fatalf("%s: %v", advice[i:], err)
	}
	for _, direction := range []string{policy.Ask, policy.Answer} {
		if got := law.Purposes(direction, time.Now()); !slices.Contains(got, "sandbox_test") {
			t.Errorf("%s: to %s for %v", advice[i:], direction, got)
		}
	}
}
