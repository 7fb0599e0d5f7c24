package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/requester"
)

// Detected is the outcome of the scene in which the ledger is edited: what a
// verification can end in does not apply there.
const Detected = "detected"

// Scene is one exchange of the demo and what must come of it.
type Scene struct {
	Name     string
	Title    string // for a newcomer
	Asks     string // who asks whom
	Purpose  string
	Expected string
	Code     protocol.Code // the reason that must be given
	play     func(context.Context, *Federation) (Result, error)
}

// Result is what came of a scene.
type Result struct {
	Outcome string
	Code    protocol.Code
	Detail  string // policy and article, receipt, or what was found; no personal data
}

// Scenes are the scenes of `tamga demo`, in order.
func Scenes() []Scene {
	const border = "border_control"
	return []Scene{
		{"matched_by_face", "A traveller at the border: document and face", "KAZ asks KGZ", border, "matched", protocol.CodeMatched, byFace},
		{"matched_by_fingerprint", "Another, with a finger on the reader", "UZB asks TJK", border, "matched", protocol.CodeMatched, byFinger},
		{"not_matched", "The right document in another person's hand", "KGZ asks KAZ", border, "not_matched", protocol.CodeNotMatched, otherFace},
		{"subject_unknown", "A document number that no one has", "TJK asks UZB", border, "inconclusive", protocol.CodeSubjectUnknown, unknown},
		{"refused_by_law", "A hotel wants to know: lawful in KAZ, not served by KGZ", "KAZ asks KGZ", "travel_check_in", "refused", protocol.CodeLaw, unlawful},
		{"consent_used_twice", "A consent to one comparison is brought a second time", "KAZ asks KGZ", "visa_issuance", "refused", protocol.CodeConsentUsed, usedTwice},
		{"one_officer", "An investigator orders that nobody be asked, and no second officer signs", "KAZ asks UZB", "law_enforcement", "refused", protocol.CodeSecondOfficer, oneOfficer},
		{"canary_touched", "Somebody tries the number of a person who does not exist: answered like any, and an alarm", "KAZ asks KGZ", border, "not_matched", protocol.CodeNotMatched, canary},
		{"non_member", "Somebody who is no member of the federation asks", "an impostor asks KGZ", border, "refused", protocol.CodeNotMember, impostor},
		{"replayed_query", "An insider sends a recorded Query once more", "KAZ asks KGZ", border, "refused", protocol.CodeReplay, replay},
		{"peer_down", "The other node is switched off: not a \"no\"", "KGZ asks UZB", border, "unavailable", protocol.CodeUnreachable, down},
		{"ledger_edited", "One byte of a ledger is edited on disk", "an auditor looks at TJK", "audit", Detected, protocol.CodeLedgerTampered, edited},
	}
}

func (f *Federation) verify(ctx context.Context, asker string, req requester.Request) (Result, error) {
	m := f.Members[asker]
	req.Officer = m.Node.Officer("demo officer")
	res, err := m.Node.Verify(ctx, req)
	if err != nil {
		return Result{}, err
	}
	out := Result{Outcome: string(res.Outcome), Code: res.Code}
	if res.Policy.ID != "" {
		out.Detail = "policy " + res.Policy.ID + ", " + res.Policy.Article
	}
	if len(res.Receipt.Checkpoint) > 0 {
		out.Detail += fmt.Sprintf("; receipt #%d", res.Receipt.Index)
	}
	return out, nil
}

func atBorder(subject pseudonym.Identifier, p protocol.Probe) requester.Request {
	return requester.Request{
		Question: protocol.Question{Subject: subject, Probes: []protocol.Probe{p}},
		Purpose:  "border_control", LegalBasis: "public_task",
	}
}

func face(data []byte) protocol.Probe {
	return protocol.Probe{Modality: comparison.ModalityFace, Format: exchange.FormatEmbedding, Data: data}
}

func byFace(ctx context.Context, f *Federation) (Result, error) {
	p := f.Members["KGZ"].Pop.Person(7)
	return f.verify(ctx, "KAZ", atBorder(Subject(p), face(p.FaceProbe(1))))
}

func byFinger(ctx context.Context, f *Federation) (Result, error) {
	p := f.Members["TJK"].Pop.Person(11)
	probe := protocol.Probe{Modality: comparison.ModalityFinger, Format: exchange.FormatFinger2005,
		Position: EnrolledFinger, Data: p.FingerProbe(EnrolledFinger, 1)}
	return f.verify(ctx, "UZB", atBorder(Subject(p), probe))
}

func otherFace(ctx context.Context, f *Federation) (Result, error) {
	pop := f.Members["KAZ"].Pop
	return f.verify(ctx, "KGZ", atBorder(Subject(pop.Person(3)), face(pop.Person(4).FaceProbe(1))))
}

func unknown(ctx context.Context, f *Federation) (Result, error) {
	nobody := f.Members["UZB"].Pop.Person(1_000_000)
	return f.verify(ctx, "TJK", atBorder(Subject(nobody), face(nobody.FaceProbe(1))))
}

func unlawful(ctx context.Context, f *Federation) (Result, error) {
	p := f.Members["KGZ"].Pop.Person(7)
	req := atBorder(Subject(p), face(p.FaceProbe(2)))
	req.Purpose, req.LegalBasis = "travel_check_in", "consent"
	var err error
	if req.Question.Consent, err = Consent(p, "KAZ", req.Purpose, time.Now()); err != nil {
		return Result{}, err
	}
	return f.verify(ctx, "KAZ", req)
}

// usedTwice asks twice on one consent; the first time it must be answered.
func usedTwice(ctx context.Context, f *Federation) (Result, error) {
	p := f.Members["KGZ"].Pop.Person(10)
	req := atBorder(Subject(p), face(p.FaceProbe(1)))
	req.Purpose, req.LegalBasis = "visa_issuance", "consent"
	var err error
	if req.Question.Consent, err = Consent(p, "KAZ", req.Purpose, time.Now()); err != nil {
		return Result{}, err
	}
	first, err := f.verify(ctx, "KAZ", req)
	if err != nil || first.Code != protocol.CodeMatched {
		return first, err
	}
	out, err := f.verify(ctx, "KAZ", req)
	out.Detail += "; the first time it was answered"
	return out, err
}

// oneOfficer asks on an exemption order that nobody countersigned.
func oneOfficer(ctx context.Context, f *Federation) (Result, error) {
	p := f.Members["UZB"].Pop.Person(6)
	key, err := jose.GenerateKey()
	if err != nil {
		return Result{}, err
	}
	about, err := consent.Bind(Subject(p))
	if err != nil {
		return Result{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	req := atBorder(Subject(p), face(p.FaceProbe(1)))
	req.Purpose, req.LegalBasis = "law_enforcement", "legal_obligation"
	req.Question.Consent, err = consent.Order(key, consent.Consent{
		ID: "demo-order", Requester: EntityID("KAZ"), Controller: EntityID("UZB"), Purpose: req.Purpose, Modalities: []string{comparison.ModalityFace},
		IssuedAt: now, ExpiresAt: now.Add(time.Hour), Office: "https://investigation.example", Officer: "investigator", Subject: about,
		Exemption: consent.Exemption{Case: "17/2026", Disclose: now.AddDate(1, 0, 0)},
	})
	if err != nil {
		return Result{}, err
	}
	return f.verify(ctx, "KAZ", req)
}

// canary has KGZ make one of its people a canary, and KAZ try that number with another face.
func canary(ctx context.Context, f *Federation) (Result, error) {
	kgz := f.Members["KGZ"]
	invented := Subject(kgz.Pop.Person(13))
	if err := kgz.Node.AddCanaries(ctx, []pseudonym.Identifier{invented}); err != nil {
		return Result{}, err
	}
	before := kgz.alarms.Load()
	out, err := f.verify(ctx, "KAZ", atBorder(invented, face(kgz.Pop.Person(14).FaceProbe(1))))
	if err == nil && kgz.alarms.Load() != before+1 {
		err = errors.New("no alarm was raised")
	}
	out.Detail += "; KGZ's log names requester and officer's pseudonym"
	return out, err
}

// impostor tries twice: from its own connection, which must be refused at the
// handshake, and through a member's, where its Query must be.
func impostor(ctx context.Context, f *Federation) (Result, error) {
	key, err := jose.GenerateKey()
	if err != nil {
		return Result{}, err
	}
	kaz := f.Members["KAZ"]
	peer, err := kaz.Node.Peer("KGZ")
	if err != nil {
		return Result{}, err
	}
	p := f.Members["KGZ"].Pop.Person(7)
	q := atBorder(Subject(p), face(p.FaceProbe(3))).Question
	pending, err := protocol.Ask(protocol.Envelope{Issuer: "https://impostor.example", Audience: string(peer.EntityID),
		Purpose: "border_control", LegalBasis: "public_task", Operation: protocol.OperationVerify, Officer: "nobody"},
		q, peer.SealingKeys[0], key, time.Now())
	if err != nil {
		return Result{}, err
	}
	stranger, err := transport.New(transport.Config{Seed: key.Seed(), Admit: func(transport.PeerID) bool { return true }}, nil)
	if err != nil {
		return Result{}, err
	}
	_, err = stranger.Exchange(ctx, transport.PeerID(peer.PeerID), peer.Addresses, transport.ProtocolQuery, pending.Frame)
	if closeErr := stranger.Close(); closeErr != nil {
		return Result{}, closeErr
	}
	if !errors.Is(err, transport.ErrNotAdmitted) {
		return Result{}, fmt.Errorf("the stranger's connection was not refused at the handshake: %v", err)
	}
	reply, err := kaz.recorder.Exchange(ctx, transport.PeerID(peer.PeerID), peer.Addresses, transport.ProtocolQuery, pending.Frame)
	if err != nil {
		return Result{}, err
	}
	r, err := read(pending, reply, f, "KGZ")
	r.Detail = "connection closed at the handshake; Query refused through a member's"
	return r, err
}

// read verifies a reply to a Query that no Requester keeps track of.
func read(p *protocol.Pending, reply []byte, f *Federation, from string) (Result, error) {
	peer, err := f.Members["KAZ"].Node.Peer(from)
	if err != nil {
		return Result{}, err
	}
	v, err := lognote.NewVerifier(peer.LedgerOrigin, peer.LedgerKeys)
	if err != nil {
		return Result{}, err
	}
	a, err := p.Reply(reply, protocol.Peer{Entity: string(peer.EntityID), Keys: peer.SigningKeys, Ledger: v}, time.Now())
	if err != nil {
		return Result{}, err
	}
	return Result{Outcome: string(a.Outcome), Code: a.Code}, nil
}

func replay(ctx context.Context, f *Federation) (Result, error) {
	p := f.Members["KGZ"].Pop.Person(9)
	return f.twice(ctx, "KAZ", atBorder(Subject(p), face(p.FaceProbe(2))))
}

// twice asks while an insider on the asker's own line holds the first reply back and
// sends the Query once more, byte for byte.
func (f *Federation) twice(ctx context.Context, asker string, req requester.Request) (Result, error) {
	r := f.Members[asker].recorder
	r.again.Store(true)
	defer r.again.Store(false)
	out, err := f.verify(ctx, asker, req)
	out.Detail = "the first time it was answered; the second time not"
	return out, err
}

func down(ctx context.Context, f *Federation) (Result, error) {
	uzb := f.Members["UZB"]
	if err := f.Down(uzb); err != nil {
		return Result{}, err
	}
	p := uzb.Pop.Person(5)
	return f.verify(ctx, "KGZ", atBorder(Subject(p), face(p.FaceProbe(1))))
}

// edited stops TJK, flips one bit of one entry on disk, and lets an auditor look.
func edited(ctx context.Context, f *Federation) (Result, error) {
	tjk := f.Members["TJK"]
	peer, err := f.Members["KAZ"].Node.Peer("TJK")
	if err != nil {
		return Result{}, err
	}
	v, err := lognote.NewVerifier(peer.LedgerOrigin, peer.LedgerKeys)
	if err != nil {
		return Result{}, err
	}
	if err := f.Down(tjk); err != nil {
		return Result{}, err
	}
	dir := filepath.Join(tjk.Dir, "data", "ledger")
	if _, err := ledger.Verify(ctx, dir, v, nil); err != nil {
		return Result{}, fmt.Errorf("the untouched ledger does not verify: %w", err)
	}
	undo, err := flipByte(dir, []byte("border_control"))
	if err != nil {
		return Result{}, err
	}
	_, err = ledger.Verify(ctx, dir, v, nil)
	if !errors.Is(err, ledger.ErrTampered) {
		return Result{Outcome: "undetected"}, nil
	}
	return Result{Outcome: Detected, Code: protocol.CodeLedgerTampered, Detail: err.Error()}, undo()
}

// flipByte changes one bit of the first occurrence of mark in the files of dir, and
// returns how to put it back.
func flipByte(dir string, mark []byte) (undo func() error, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || undo != nil {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		at := bytes.Index(b, mark)
		if at < 0 {
			return nil
		}
		undo = func() error { return poke(name, int64(at), b[at]) }
		return poke(name, int64(at), b[at]^1)
	})
	if err == nil && undo == nil {
		err = errors.New("no entry was found on disk to edit")
	}
	return undo, err
}

func poke(name string, at int64, b byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{b}, at)
	return errors.Join(err, f.Close())
}

// Consent is what a synthetic person's wallet signs when asked.
func Consent(p synth.Person, asker, purpose string, now time.Time) (string, error) {
	key, err := HolderKey(p)
	if err != nil {
		return "", err
	}
	return consent.Issue(key, consent.Consent{
		ID: "demo-" + strconv.FormatInt(now.UnixNano(), 36), Holder: key.Public().KeyID(), Requester: EntityID(asker), Controller: EntityID(p.Jurisdiction),
		Purpose: purpose, Modalities: []string{comparison.ModalityFace}, IssuedAt: now.Truncate(time.Second), ExpiresAt: now.Truncate(time.Second).Add(time.Hour),
		Notice: consent.NoticeOf([]byte("Your samples are compared with those in the register of your country."), "en"),
	})
}
