package protocol

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

func seedSearch() Search {
	return Search{Probe: Probe{Modality: "face", Format: "tamga-embedding-1", Position: 1, Quality: 80, Data: []byte{1, 2, 3}}, Order: "a.b.c"}
}

// FuzzSearch: what is accepted encodes to the same bytes; an error leaves nothing.
func FuzzSearch(f *testing.F) {
	b, err := seedSearch().marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSearch(b)
		if err != nil {
			if s.Probe.Data != nil || s.Order != "" {
				t.Fatal("an error left something behind")
			}
			return
		}
		if again, err := s.marshal(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %d bytes, wrote %d: %v", len(b), len(again), err)
		}
	})
}

// FuzzResolution has the same oracle.
func FuzzResolution(f *testing.F) {
	b, err := Resolution{Handle: Handle{1}, Order: "a.b.c"}.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append(b, 0))
	f.Add([]byte{0xa1, 0x01, 0x41, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseResolution(b)
		if err != nil {
			if r != (Resolution{}) {
				t.Fatal("an error left something behind")
			}
			return
		}
		if again, err := r.marshal(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %d bytes, wrote %d: %v", len(b), len(again), err)
		}
	})
}

// exchange is a Query of an operation and its responder's view of it.
func exchangeOf(t *testing.T, operation string, asked Asked) (*Pending, Query, sealing.PrivateKey, jose.PrivateKey) {
	t.Helper()
	sign, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	seal, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0)
	p, err := Ask(Envelope{Issuer: "i", Audience: "a", Purpose: "p", LegalBasis: "l", Operation: operation, Officer: "o"}, asked, seal.Public(), sign, at)
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseQuery(p.Frame)
	if err != nil {
		t.Fatal(err)
	}
	q, err := u.Verify(jose.NewKeySet(sign.Public()), "a", at)
	if err != nil {
		t.Fatal(err)
	}
	return p, q, seal, sign
}

// TestSealedPartsAreNotMixedUp: a sealed part opens as that of its own operation alone.
func TestSealedPartsAreNotMixedUp(t *testing.T) {
	_, q, key, _ := exchangeOf(t, OperationIdentify, seedSearch())
	if s, err := q.OpenSearch(key); err != nil || !bytes.Equal(s.Probe.Data, []byte{1, 2, 3}) || s.Order != "a.b.c" {
		t.Errorf("a search: %v", err)
	}
	if _, err := q.Open(key); CodeOf(err) != CodeSealedContent {
		t.Errorf("a search as a question: %v", err)
	}
	if _, err := q.OpenResolution(key); CodeOf(err) != CodeSealedContent {
		t.Errorf("a search as a resolution: %v", err)
	}
	_, q, key, _ = exchangeOf(t, OperationResolve, Resolution{Handle: Handle{7}})
	if r, err := q.OpenResolution(key); err != nil || r.Handle != (Handle{7}) {
		t.Errorf("a resolution: %v", err)
	}
	if _, err := q.OpenSearch(key); CodeOf(err) != CodeSealedContent {
		t.Errorf("a resolution as a search: %v", err)
	}
}

// answered is the sealed part of an Answer, in clear, and what the requester makes of it.
func answered(t *testing.T, p *Pending, q Query, sign jose.PrivateKey, v Verdict, f Found) (wireVerdict, int, Found, error) {
	t.Helper()
	at := time.Unix(1_800_000_000, 0)
	leaf, err := NewLeaf(LeafAnswer, q.Envelope, q.Hash, v, at).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	reply, err := q.AnswerFound(v, f, lognote.Receipt{Checkpoint: bytes.Repeat([]byte{'c'}, 700), Leaf: leaf}, sign, at)
	if err != nil {
		t.Fatal(err)
	}
	var w wireAnswer
	payload, err := jose.Verify(string(reply), TypeAnswer, jose.NewKeySet(sign.Public()))
	if err == nil {
		err = jose.DecodeClaims(payload, &w)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.open(w)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := encodeCBOR(got); err != nil || len(plain)%padTo != 0 {
		t.Errorf("%d octets are sealed, %v; want a multiple of %d", len(plain), err, padTo)
	}
	found, err := got.found(p.Operation)
	return got, len(reply), found, err
}

func handles(n int) (out []Handle) {
	for range n {
		var h Handle
		_, _ = rand.Read(h[:])
		out = append(out, h)
	}
	return out
}

// TestAnswersToSearchesAreOfOneSize: whoever sees the frame does not learn what was found.
func TestAnswersToSearchesAreOfOneSize(t *testing.T) {
	sizes := map[int]bool{}
	p, q, _, sign := exchangeOf(t, OperationIdentify, seedSearch())
	for n := range MaxCandidates + 1 {
		for _, rate := range []uint32{0, 20, 1000, 10_000, 1_000_000} {
			v := Verdict{NotMatched, CodeNoCandidate, rate, PolicyRef{Law: "l"}}
			if n > 0 {
				v.Outcome, v.Code = Inconclusive, CodeCandidates
			}
			_, size, got, err := answered(t, p, q, sign, v, Found{Handles: handles(n)})
			if err != nil || len(got.Handles) != n {
				t.Fatalf("%d handles: got %d, %v", n, len(got.Handles), err)
			}
			sizes[size] = true
		}
	}
	p, q, _, sign = exchangeOf(t, OperationResolve, Resolution{})
	who := pseudonym.Identifier{Jurisdiction: "KGZ", Type: pseudonym.IDNationalNumber, Value: strings.Repeat("9", 32)}
	_, told, got, err := answered(t, p, q, sign, Verdict{Inconclusive, CodeResolved, 0, PolicyRef{}}, Found{Subject: who})
	if err != nil || got.Subject != who {
		t.Fatalf("told: %v", err)
	}
	_, untold, _, err := answered(t, p, q, sign, Verdict{Refused, CodeHandle, 0, PolicyRef{}}, Found{})
	if err != nil || told != untold || len(sizes) != 1 {
		t.Errorf("sizes of searches %v, of resolutions %d and %d: they differ", sizes, told, untold)
	}
}

// TestFoundIsHeldAgainstTheCode: an Answer tells what its code and operation say, and nothing else.
func TestFoundIsHeldAgainstTheCode(t *testing.T) {
	one := [][]byte{make([]byte, 16)}
	who := &wireSubject{"KGZ", "passport", "SYN1"}
	for name, c := range map[string]struct {
		operation string
		w         wireVerdict
	}{
		"verify-handles":    {OperationVerify, wireVerdict{Code: string(CodeMatched), Handles: one}},
		"verify-subject":    {OperationVerify, wireVerdict{Code: string(CodeMatched), Subject: who}},
		"verify-padding":    {OperationVerify, wireVerdict{Code: string(CodeMatched), Padding: []byte{0, 1}}},
		"no-handles":        {OperationIdentify, wireVerdict{Code: string(CodeCandidates)}},
		"handles-of-nobody": {OperationIdentify, wireVerdict{Code: string(CodeNoCandidate), Handles: one}},
		"short-handle":      {OperationIdentify, wireVerdict{Code: string(CodeCandidates), Handles: [][]byte{{1}}}},
		"too-many":          {OperationIdentify, wireVerdict{Code: string(CodeCandidates), Handles: make([][]byte, MaxCandidates+1)}},
		"subject-untold":    {OperationResolve, wireVerdict{Code: string(CodeResolved)}},
		"subject-refused":   {OperationResolve, wireVerdict{Code: string(CodeHandle), Subject: who}},
		"subject-raw":       {OperationResolve, wireVerdict{Code: string(CodeResolved), Subject: &wireSubject{"KGZ", "passport", "syn 1"}}},
		"identify-subject":  {OperationIdentify, wireVerdict{Code: string(CodeResolved), Subject: who}},
		"resolve-handles":   {OperationResolve, wireVerdict{Code: string(CodeCandidates), Handles: one}},
		"identify-matched":  {OperationIdentify, wireVerdict{Code: string(CodeMatched)}},
		"verify-nobody":     {OperationVerify, wireVerdict{Code: string(CodeNoCandidate)}},
		"padding":           {OperationIdentify, wireVerdict{Code: string(CodeNoCandidate), Padding: []byte{0, 1}}},
	} {
		if f, err := c.w.found(c.operation); err == nil || f.Handles != nil || f.Subject != (pseudonym.Identifier{}) {
			t.Errorf("%s: accepted, or something is left: %v", name, err)
		}
	}
}

// TestCandidatesHaveARate: handles are of a decision at a rate, which the requester's own law is held against.
func TestCandidatesHaveARate(t *testing.T) {
	if err := (Verdict{Inconclusive, CodeCandidates, 0, PolicyRef{}}).check(); err == nil {
		t.Error("candidates at no rate")
	}
	if err := (Verdict{Inconclusive, CodeCandidates, 1000, PolicyRef{}}).check(); err != nil {
		t.Error(err)
	}
}

func TestHandleText(t *testing.T) {
	h := handles(1)[0]
	if got, err := ParseHandle(h.Text()); err != nil || got != h {
		t.Errorf("got %v, %v", got == h, err)
	}
	for _, bad := range []string{"", h.Text()[1:], h.Text() + "A", strings.Repeat("=", 22)} {
		if got, err := ParseHandle(bad); err == nil || got != (Handle{}) {
			t.Errorf("%q is taken for a handle", bad)
		}
	}
	printed := fmt.Sprintf("%v %+v %#v %x %s %v %v %v", h, Found{Handles: []Handle{h}}, Resolution{Handle: h}, h, h, seedSearch(), errors.New("x"), h.LogValue())
	if strings.Contains(printed, h.Text()) || strings.Contains(printed, fmt.Sprintf("%x", h[:])) || strings.Contains(printed, "a.b.c") {
		t.Error("a handle is printed")
	}
}
