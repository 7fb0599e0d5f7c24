package protocol

import (
	"bytes"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
)

func seedQuestion(f *testing.F) Question {
	f.Helper()
	return Question{
		Subject: pseudonym.Identifier{Jurisdiction: "KGZ", Type: pseudonym.IDPassport, Value: "SYN1"},
		Probes:  []Probe{{Modality: "face", Format: "tamga-embedding-1", Data: []byte{1, 2, 3}}, {Modality: "finger", Format: "iso-19794-2-2005", Position: 3, Quality: 80, Capture: "x", Data: []byte{4}}},
		Consent: "a.b.c",
	}
}

// FuzzQuestion: what is accepted encodes to the same bytes; an error leaves nothing.
func FuzzQuestion(f *testing.F) {
	b, err := seedQuestion(f).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte{0xa0})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parseQuestion(b)
		if err != nil {
			if q.Subject != (pseudonym.Identifier{}) || q.Probes != nil || q.Consent != "" {
				t.Fatal("an error left something behind")
			}
			return
		}
		again, err := q.marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %d bytes, wrote %d: %v", len(b), len(again), err)
		}
	})
}

// FuzzLeaf has the same oracle.
func FuzzLeaf(f *testing.F) {
	b, err := NewLeaf(LeafAnswer, Envelope{Issuer: "i", Audience: "a", Purpose: "p"}, Hash{1}, Verdict{Outcome: Matched, Code: CodeMatched, FMROneIn: 10}, time.UnixMilli(5)).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append(b, 0))
	f.Add([]byte{0xa1, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLeaf(b)
		if err != nil {
			if l != (Leaf{}) {
				t.Fatal("an error left something behind")
			}
			return
		}
		again, err := l.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %x, wrote %x: %v", b, again, err)
		}
	})
}

// FuzzFrames: neither side's parser panics, and nothing random is accepted.
func FuzzFrames(f *testing.F) {
	sign, err := jose.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	seal, err := sealing.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0)
	p, err := Ask(Envelope{Issuer: "i", Audience: "a", Purpose: "p", LegalBasis: "l", Operation: "verify", Officer: "o"}, seedQuestion(f), seal.Public(), sign, at)
	if err != nil {
		f.Fatal(err)
	}
	refusal, err := Refuse("a", p.Hash, CodeExpired, sign, at)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Frame)
	f.Add(refusal)
	f.Add([]byte("e30.e30.AA"))
	own := append([]byte(nil), p.Frame...)
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := ParseQuery(b); err == nil {
			if _, err := u.Verify(jose.NewKeySet(sign.Public()), "a", at); err == nil && !bytes.Equal(b, own) {
				t.Fatal("a Query that nobody signed was accepted")
			}
		}
		if a, err := p.Reply(b, Peer{Entity: "a", Keys: jose.NewKeySet(sign.Public())}, at); err == nil && !bytes.Equal(b, refusal) {
			t.Fatalf("a reply that nobody signed was accepted: %s", a.Outcome)
		}
	})
}
