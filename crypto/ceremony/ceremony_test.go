package ceremony_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/redacttest"
)

const entity = "https://kaz.example"

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// people are custodians with their identities, half of them of the hybrid kind.
func people(t testing.TB, n int) ([]ceremony.Custodian, []age.Identity) {
	t.Helper()
	var custodians []ceremony.Custodian
	var identities []age.Identity
	for i := range n {
		name := fmt.Sprintf("custodian-%d", i+1)
		if i%2 == 0 {
			id, err := age.GenerateX25519Identity()
			if err != nil {
				t.Fatal(err)
			}
			custodians, identities = append(custodians, ceremony.Custodian{Name: name, Recipient: id.Recipient().String()}), append(identities, id)
			continue
		}
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		custodians, identities = append(custodians, ceremony.Custodian{Name: name, Recipient: id.Recipient().String()}), append(identities, id)
	}
	return custodians, identities
}

// dealt is a ceremony with everything opened.
type dealt struct {
	ceremony.Dealt
	plan       ceremony.Plan
	shares     []ceremony.Share
	identities []age.Identity
	key        jose.PrivateKey
	transcript ceremony.Transcript
}

func deal(t testing.TB, k, n int) dealt {
	t.Helper()
	custodians, identities := people(t, n)
	plan, err := ceremony.NewPlan(entity, k, custodians, now)
	if err != nil {
		t.Fatal(err)
	}
	d := dealt{plan: plan, identities: identities}
	if d.Dealt, err = ceremony.Deal(plan); err != nil {
		t.Fatal(err)
	}
	for i, f := range d.Sealed {
		s, err := ceremony.OpenShare(f, identities[i])
		if err != nil {
			t.Fatal(err)
		}
		d.shares = append(d.shares, s)
	}
	if d.key, err = jose.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	if d.transcript, err = d.Transcript(d.key); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dealt) verify(t testing.TB) ceremony.Verified {
	t.Helper()
	v, err := d.transcript.Verify(jose.NewKeySet(d.key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAnyThreshold opens a root with every subset of the shares: those of k and
// more do, smaller ones do not.
func TestAnyThreshold(t *testing.T) {
	const k, n = 3, 5
	d := deal(t, k, n)
	path := t.TempDir() + "/root.json"
	root, err := custody.Create(path, custody.Shared(d.Terms, d.Key))
	if err != nil {
		t.Fatal(err)
	}
	for set := range 1 << n {
		g := ceremony.Gather(d.Terms)
		count := 0
		for i, s := range d.shares {
			if set>>i&1 == 1 {
				count++
				if err := g.Add(s); err != nil {
					t.Fatal(err)
				}
			}
		}
		key, err := g.Key()
		if count < k {
			if !errors.Is(err, ceremony.ErrMissing) || key != nil || g.Missing() != k-count {
				t.Fatalf("%d shares: key of %d bytes, %d missing, %v", count, len(key), g.Missing(), err)
			}
			continue
		}
		if err != nil || !bytes.Equal(key, d.Key) {
			t.Fatalf("%d shares: %v", count, err)
		}
		opened, err := custody.OpenShared(path, key)
		if err != nil || opened.Derive("tamga/v1/test") != root.Derive("tamga/v1/test") {
			t.Fatalf("%d shares: %v", count, err)
		}
	}
}

func TestSealedToOneOnly(t *testing.T) {
	d := deal(t, 2, 3)
	for i, f := range d.Sealed {
		for j, id := range d.identities {
			if _, err := ceremony.OpenShare(f, id); (err == nil) != (i == j) || err != nil && !errors.Is(err, ceremony.ErrIdentity) {
				t.Errorf("share %d under identity %d: %v", i+1, j+1, err)
			}
		}
	}
}

func TestGatherRefuses(t *testing.T) {
	d, other := deal(t, 2, 3), deal(t, 2, 3)
	// The same plan dealt again has the ceremony's id and other shares.
	again, err := ceremony.Deal(d.plan)
	if err != nil {
		t.Fatal(err)
	}
	redealt, err := ceremony.OpenShare(again.Sealed[1], d.identities[1])
	if err != nil {
		t.Fatal(err)
	}
	fewer := d.Terms
	fewer.Shares = 2
	for name, tt := range map[string]struct {
		terms custody.Custodians
		share ceremony.Share
		want  error
	}{
		"foreign":      {d.Terms, other.shares[1], ceremony.ErrForeign},
		"zero":         {d.Terms, ceremony.Share{}, ceremony.ErrForeign},
		"redealt":      {d.Terms, redealt, ceremony.ErrShare},
		"repeated":     {d.Terms, d.shares[0], ceremony.ErrRepeated},
		"beyond-count": {fewer, d.shares[2], ceremony.ErrShare},
	} {
		t.Run(name, func(t *testing.T) {
			g := ceremony.Gather(tt.terms)
			if err := g.Add(d.shares[0]); err != nil {
				t.Fatal(err)
			}
			if err := g.Add(tt.share); !errors.Is(err, tt.want) || g.Missing() != 1 {
				t.Errorf("added, %d missing: %v, want %v", g.Missing(), err, tt.want)
			}
		})
	}
}

func TestResealed(t *testing.T) {
	d := deal(t, 2, 2)
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	message, err := d.shares[0].SealTo(id.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ceremony.OpenShare(message, id)
	if err != nil || s.Index() != 1 || s.Custodian() != "custodian-1" || s.Entity() != entity {
		t.Errorf("share %d of %q for %q, %v", s.Index(), s.Custodian(), s.Entity(), err)
	}
	if _, err := d.shares[0].SealTo("age1nonsense"); !errors.Is(err, ceremony.ErrFormat) {
		t.Errorf("sealing to nobody: %v", err)
	}
}

func TestTranscript(t *testing.T) {
	d := deal(t, 2, 3)
	v := d.verify(t)
	if v.Complete() || len(v.Missing()) != 3 || fmt.Sprint(v.Terms) != fmt.Sprint(d.Terms) {
		t.Errorf("before anyone acknowledged: %v missing", v.Missing())
	}
	for i, s := range d.shares {
		a, err := v.Acknowledge(d.Sealed[i], s)
		if err != nil {
			t.Fatal(err)
		}
		if a, err = ceremony.ParseAcknowledgement(a.Encode()); err != nil {
			t.Fatal(err)
		}
		if err := d.transcript.Add(v, a); err != nil {
			t.Fatal(err)
		}
		if err := d.transcript.Add(v, a); !errors.Is(err, ceremony.ErrRepeated) {
			t.Errorf("acknowledging twice: %v", err)
		}
	}
	again, err := ceremony.ParseTranscript(d.transcript.Encode())
	if err != nil {
		t.Fatal(err)
	}
	d.transcript = again
	if v := d.verify(t); !v.Complete() {
		t.Errorf("after all acknowledged %v are missing", v.Missing())
	}
}

// TestTranscriptRefuses edits every part of a transcript.
func TestTranscriptRefuses(t *testing.T) {
	d, other := deal(t, 2, 2), deal(t, 2, 2)
	v := d.verify(t)
	a, err := v.Acknowledge(d.Sealed[0], d.shares[0])
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.verify(t).Acknowledge(other.Sealed[0], other.shares[0])
	if err != nil {
		t.Fatal(err)
	}
	forged := a
	forged.Index = 2
	relabelled := foreign
	relabelled.Ceremony = a.Ceremony
	flipped := a
	flipped.Proof = bytes.Clone(a.Proof)
	flipped.Proof[63] ^= 1
	for name, tt := range map[string]struct {
		a    ceremony.Acknowledgement
		want error
	}{
		"foreign":    {foreign, ceremony.ErrForeign},
		"relabelled": {relabelled, ceremony.ErrShare},
		"other-name": {forged, ceremony.ErrShare},
		"flipped":    {flipped, ceremony.ErrShare},
		"zero":       {ceremony.Acknowledgement{}, ceremony.ErrForeign},
	} {
		tr := d.transcript
		if err := tr.Add(v, tt.a); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		tr.Acknowledgements = []ceremony.Acknowledgement{tt.a}
		if _, err := tr.Verify(jose.NewKeySet(d.key.Public())); !errors.Is(err, ceremony.ErrTranscript) {
			t.Errorf("%s, put in by hand: %v, want ErrTranscript", name, err)
		}
	}
	twice := d.transcript
	twice.Acknowledgements = []ceremony.Acknowledgement{a, a}
	edited := d.transcript
	parts := strings.Split(edited.Signed, ".")
	parts[1] = parts[1][:len(parts[1])-4] + "AAAA"
	edited.Signed = strings.Join(parts, ".")
	swapped := d.transcript
	swapped.Signed = other.transcript.Signed
	for name, tr := range map[string]ceremony.Transcript{"twice": twice, "edited": edited, "signed-by-another": swapped, "zero": {}} {
		if _, err := tr.Verify(jose.NewKeySet(d.key.Public())); !errors.Is(err, ceremony.ErrTranscript) {
			t.Errorf("%s: %v, want ErrTranscript", name, err)
		}
	}
	if _, err := v.Acknowledge(other.Sealed[0], d.shares[0]); !errors.Is(err, ceremony.ErrShare) {
		t.Errorf("acknowledging another file: %v", err)
	}
	if _, err := v.Acknowledge(other.Sealed[0], other.shares[0]); !errors.Is(err, ceremony.ErrForeign) {
		t.Errorf("acknowledging a foreign share: %v", err)
	}
}

func TestPlanRefuses(t *testing.T) {
	c, _ := people(t, 3)
	edit := func(f func([]ceremony.Custodian)) []ceremony.Custodian {
		e := append([]ceremony.Custodian(nil), c...)
		f(e)
		return e
	}
	for name, tt := range map[string]struct {
		k int
		c []ceremony.Custodian
	}{
		"one-of":         {1, c},
		"more-than-all":  {4, c},
		"one-custodian":  {2, c[:1]},
		"name-twice":     {2, edit(func(e []ceremony.Custodian) { e[1].Name = e[0].Name })},
		"key-twice":      {2, edit(func(e []ceremony.Custodian) { e[1].Recipient = e[0].Recipient })},
		"bad-name":       {2, edit(func(e []ceremony.Custodian) { e[1].Name = "../x" })},
		"no-recipient":   {2, edit(func(e []ceremony.Custodian) { e[1].Recipient = "" })},
		"secret-for-key": {2, edit(func(e []ceremony.Custodian) { e[1].Recipient = "AGE-SECRET-KEY-1QQQ" })},
	} {
		p, err := ceremony.NewPlan(entity, tt.k, tt.c, now)
		if !errors.Is(err, ceremony.ErrPlan) || p.Custodians != nil || err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want ErrPlan", name, err)
		}
	}
}

func TestRedaction(t *testing.T) {
	d := deal(t, 2, 2)
	redacttest.Check(t, d.shares[0], ceremony.ShareValue(d.shares[0]))
}

// FuzzParse: what is accepted encodes to the same bytes.
func FuzzParse(f *testing.F) {
	d := deal(f, 2, 2)
	v := d.verify(f)
	a, err := v.Acknowledge(d.Sealed[0], d.shares[0])
	if err != nil {
		f.Fatal(err)
	}
	tr := d.transcript
	if err := tr.Add(v, a); err != nil {
		f.Fatal(err)
	}
	keys := jose.NewKeySet(d.key.Public())
	f.Add(d.plan.Encode())
	f.Add(a.Encode())
	f.Add(tr.Encode())
	f.Add(d.Sealed[0])
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ceremony.ParsePlan(data); err == nil && !bytes.Equal(p.Encode(), data) {
			t.Error("an accepted plan encodes to other bytes")
		}
		if a, err := ceremony.ParseAcknowledgement(data); err == nil {
			if !bytes.Equal(a.Encode(), data) {
				t.Error("an accepted acknowledgement encodes to other bytes")
			}
			_ = d.transcript.Add(v, a)
		}
		if tr, err := ceremony.ParseTranscript(data); err == nil {
			if !bytes.Equal(tr.Encode(), data) {
				t.Error("an accepted transcript encodes to other bytes")
			}
			_, _ = tr.Verify(keys)
		}
		if _, err := ceremony.OpenShare(data, d.identities[0]); err == nil && !bytes.Equal(data, d.Sealed[0]) {
			// The armor may be spelled otherwise; the share may not.
			if s, _ := ceremony.OpenShare(data, d.identities[0]); s.Index() != 1 {
				t.Error("an altered share opens")
			}
		}
	})
}
