package pseudonym_test

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/redacttest"
)

func testKey(t testing.TB, fill byte) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.NewKey(bytes.Repeat([]byte{fill}, pseudonym.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func compute(t testing.TB, k pseudonym.Key, id pseudonym.Identifier) pseudonym.Pseudonym {
	t.Helper()
	p, err := k.Pseudonym(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPseudonym(t *testing.T) {
	k := testKey(t, 1)
	p := compute(t, k, passport("N12345678"))
	same := []pseudonym.Identifier{passport("n 1234-5678"), {Jurisdiction: "kaz", Type: "passport", Value: "N12345678"}}
	for i, id := range same {
		if compute(t, k, id) != p {
			t.Errorf("spelling %d of one number gives another pseudonym", i)
		}
	}
	other := map[string]pseudonym.Pseudonym{
		"value":        compute(t, k, passport("N12345679")),
		"jurisdiction": compute(t, k, pseudonym.Identifier{Jurisdiction: "KGZ", Type: "passport", Value: "N12345678"}),
		"type":         compute(t, k, pseudonym.Identifier{Jurisdiction: "KAZ", Type: "national_number", Value: "N12345678"}),
		"key":          compute(t, testKey(t, 2), passport("N12345678")),
	}
	for name, q := range other {
		if q == p {
			t.Errorf("another %s gives the same pseudonym", name)
		}
	}
	e, err := k.Element(passport("N12345678"))
	h := sha512.Sum512(append([]byte("tamga/v1/pseudonym\x00"), e[:]...))
	if err != nil || !bytes.Equal(h[:32], p[:]) {
		t.Errorf("the pseudonym is not the first half of the hash (%v)", err)
	}
}

// TestPseudonymIsStable pins one value: a change orphans every enrolled record.
func TestPseudonymIsStable(t *testing.T) {
	p := compute(t, testKey(t, 1), passport("N12345678"))
	want := pseudonym.Pseudonym{
		0xdf, 0xf1, 0xc3, 0xcb, 0x3d, 0xd4, 0x0e, 0x36, 0xa2, 0xfd, 0xf0, 0xca, 0xe4, 0x33, 0xff, 0x82,
		0xbd, 0x4e, 0xaa, 0x0c, 0x7f, 0x61, 0x00, 0x84, 0x71, 0xd9, 0x51, 0x69, 0x8f, 0xcb, 0xd8, 0x00,
	}
	if p != want {
		t.Errorf("pseudonym %#v…, want %#v…", p[:4], want[:4])
	}
}

func TestBlindEqualsDirect(t *testing.T) {
	k := testKey(t, 1)
	for _, v := range []string{"N12345678", "7", "n-1_2.3 4"} {
		b, request, err := pseudonym.Blind(k.Public(), passport(v))
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := pseudonym.Blind(k.Public(), passport(v))
		if err != nil || bytes.Equal(request, second) {
			t.Errorf("two requests for one identifier are equal (%v)", err)
		}
		response, err := k.Evaluate(request)
		if err != nil || len(request) != pseudonym.RequestSize || len(response) != pseudonym.ResponseSize {
			t.Fatalf("request of %d, response of %d bytes, %v", len(request), len(response), err)
		}
		got, err := b.Finalize(response)
		if err != nil || got.Pseudonym() != compute(t, k, passport(v)) {
			t.Errorf("blind evaluation differs from direct (%v)", err)
		}
	}
}

func TestFinalizeRefuses(t *testing.T) {
	k := testKey(t, 1)
	b, request, err := pseudonym.Blind(k.Public(), passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	good, err := k.Evaluate(request)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := testKey(t, 2).Evaluate(request)
	if err != nil {
		t.Fatal(err)
	}
	_, otherRequest, err := pseudonym.Blind(k.Public(), passport("N2"))
	if err != nil {
		t.Fatal(err)
	}
	otherAnswer, err := k.Evaluate(otherRequest)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(b []byte)) []byte {
		c := bytes.Clone(good)
		f(c)
		return c
	}
	tests := map[string]struct {
		blinding pseudonym.Blinding
		response []byte
		want     error
	}{
		"zero-blinding":   {pseudonym.Blinding{}, good, pseudonym.ErrElement},
		"empty":           {b, nil, pseudonym.ErrElement},
		"short":           {b, good[:95], pseudonym.ErrElement},
		"long":            {b, append(bytes.Clone(good), 0), pseudonym.ErrElement},
		"identity":        {b, edit(func(c []byte) { clear(c[:32]) }), pseudonym.ErrElement},
		"no-element":      {b, edit(func(c []byte) { copy(c, bytes.Repeat([]byte{0xff}, 32)) }), pseudonym.ErrElement},
		"scalar-range":    {b, edit(func(c []byte) { copy(c[64:], bytes.Repeat([]byte{0xff}, 32)) }), pseudonym.ErrElement},
		"scalar-order":    {b, edit(func(c []byte) { copy(c[32:], order) }), pseudonym.ErrElement},
		"other-key":       {b, foreign, pseudonym.ErrProof},
		"other-request":   {b, otherAnswer, pseudonym.ErrProof},
		"element-swapped": {b, append(bytes.Clone(foreign[:32]), good[32:]...), pseudonym.ErrProof},
		"unevaluated":     {b, append(bytes.Clone(request), good[32:]...), pseudonym.ErrProof},
		"proof-swapped":   {b, append(bytes.Clone(good[:32]), otherAnswer[32:]...), pseudonym.ErrProof},
		"proof-zero":      {b, edit(func(c []byte) { clear(c[32:]) }), pseudonym.ErrProof},
		"proof-c":         {b, edit(func(c []byte) { c[32] ^= 1 }), pseudonym.ErrProof},
		"proof-s":         {b, edit(func(c []byte) { c[64] ^= 1 }), pseudonym.ErrProof},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := tt.blinding.Finalize(tt.response)
			if !errors.Is(err, tt.want) || p != (pseudonym.Element{}) {
				t.Errorf("finalised: %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := b.Finalize(good); err != nil {
		t.Errorf("the unaltered response: %v", err)
	}
}

// order is the group order in little endian (RFC 9496 section 4.4): the
// smallest scalar encoding that is not canonical.
var order = []byte("\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10")

// invalidElements are from RFC 9496 appendix A.2.
func invalidElements() map[string][]byte {
	fill := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	nonCanonical := fill(0xff)
	nonCanonical[31] = 0x7f
	negative := append([]byte{1}, make([]byte, 31)...)
	aboveP := bytes.Clone(nonCanonical)
	aboveP[0] = 0xf3
	return map[string][]byte{
		"empty": nil, "short": make([]byte, 31), "long": make([]byte, 33),
		"identity": make([]byte, 32), "all-ones": fill(0xff), "non-canonical": nonCanonical,
		"negative": negative, "above-p": aboveP,
		"non-square": []byte("\x26\x94\x8d\x35\xca\x62\xe6\x43\xe2\x6a\x83\x17\x73\x32\xe6\xb6\xaf\xeb\x9d\x08\xe4\x26\x8b\x65\x0f\x1f\x5b\xbd\x8d\x81\xd3\x71"),
	}
}

func TestRefusesElements(t *testing.T) {
	k := testKey(t, 1)
	for name, b := range invalidElements() {
		t.Run(name, func(t *testing.T) {
			if out, err := k.Evaluate(b); !errors.Is(err, pseudonym.ErrElement) || out != nil {
				t.Errorf("evaluated: %v, want ErrElement", err)
			}
			if p, err := pseudonym.ParsePublicKey(b); !errors.Is(err, pseudonym.ErrKey) || !p.IsZero() {
				t.Errorf("parsed as a public key: %v, want ErrKey", err)
			}
		})
	}
}

func TestZeroAndBadKeys(t *testing.T) {
	zero := pseudonym.Key{}
	if _, err := zero.Pseudonym(passport("N1")); !errors.Is(err, pseudonym.ErrKey) {
		t.Errorf("zero key computed: %v, want ErrKey", err)
	}
	if _, err := zero.Evaluate(make([]byte, 32)); !errors.Is(err, pseudonym.ErrKey) {
		t.Errorf("zero key evaluated: %v, want ErrKey", err)
	}
	if _, _, err := pseudonym.Blind(pseudonym.PublicKey{}, passport("N1")); !errors.Is(err, pseudonym.ErrKey) {
		t.Errorf("blinded to no key: %v, want ErrKey", err)
	}
	for _, n := range []int{0, 31, 33} {
		if k, err := pseudonym.NewKey(make([]byte, n)); !errors.Is(err, pseudonym.ErrKey) || !k.IsZero() {
			t.Errorf("seed of %d bytes: %v, want ErrKey", n, err)
		}
	}
	a, b := testKey(t, 1), testKey(t, 2)
	if !a.Equal(testKey(t, 1)) || a.Equal(b) || a.Equal(zero) || zero.Equal(a) || !zero.Equal(zero) {
		t.Error("Equal is wrong")
	}
	if zero.Seed() != nil || !zero.Public().IsZero() || !bytes.Equal(a.Seed(), bytes.Repeat([]byte{1}, 32)) {
		t.Error("Seed or Public is wrong")
	}
	if !a.Public().Equal(testKey(t, 1).Public()) || a.Public().Equal(b.Public()) {
		t.Error("PublicKey.Equal is wrong")
	}
	back, err := pseudonym.ParsePublicKey(a.Public().Bytes())
	if err != nil || !back.Equal(a.Public()) {
		t.Errorf("public key does not survive encoding: %v", err)
	}
	g, err := pseudonym.GenerateKey()
	h, err2 := pseudonym.GenerateKey()
	if err != nil || err2 != nil || g.Equal(h) {
		t.Errorf("generated keys are equal (%v, %v)", err, err2)
	}
}

func TestRedaction(t *testing.T) {
	seed := []byte("\x81\x92\xa3KLMNOPQRSTUVWXYZ0123456789!?+")[:pseudonym.SeedSize]
	k, err := pseudonym.NewKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	redacttest.Check(t, k, seed)
	b, _, err := pseudonym.Blind(k.Public(), passport("N98765432"))
	if err != nil {
		t.Fatal(err)
	}
	redacttest.Check(t, b, []byte("N98765432"))
	// Plain data: fmt calls no methods on unexported fields, as documented.
	redacttest.Check(t, passport("N98765432"), []byte("N98765432"), "hidden")
	p := compute(t, k, passport("N98765432"))
	redacttest.Check(t, p, p[:], "hidden")
}

func TestKeyConcurrency(t *testing.T) {
	k := testKey(t, 1)
	want := compute(t, k, passport("N1"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				b, request, err := pseudonym.Blind(k.Public(), passport("N1"))
				if err != nil {
					t.Error(err)
					return
				}
				response, err := k.Evaluate(request)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := b.Finalize(response); err != nil || got.Pseudonym() != want {
					t.Errorf("pseudonyms differ between goroutines (%v)", err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzEvaluate(f *testing.F) {
	k := testKey(f, 1)
	_, request, err := pseudonym.Blind(k.Public(), passport("N1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	for _, b := range invalidElements() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := k.Evaluate(b)
		if (err == nil) != (len(out) == pseudonym.ResponseSize) || err != nil && out != nil {
			t.Errorf("%d bytes with %v", len(out), err)
		}
		p, perr := pseudonym.ParsePublicKey(b)
		if (perr == nil) != (err == nil) {
			t.Errorf("as a request %v, as a public key %v", err, perr)
		}
		if perr == nil && !bytes.Equal(p.Bytes(), b) {
			t.Error("an accepted element encodes to other bytes")
		}
	})
}

// FuzzFinalize damages a response made in this process: proofs are random, and
// fuzz workers are processes of their own.
func FuzzFinalize(f *testing.F) {
	k := testKey(f, 1)
	b, request, err := pseudonym.Blind(k.Public(), passport("N1"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.Evaluate(request)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), byte(0), uint16(0), []byte{})
	f.Add(uint16(33), byte(4), uint16(0), []byte{})
	f.Add(uint16(0), byte(0), uint16(96), make([]byte, pseudonym.ResponseSize))
	f.Fuzz(func(t *testing.T, at uint16, mask byte, cut uint16, extra []byte) {
		response, changed := damaged(good, at, mask, cut, extra)
		p, err := b.Finalize(response)
		if changed != (err != nil) || err != nil && p != (pseudonym.Element{}) {
			t.Errorf("changed %v: %v", changed, err)
		}
	})
}

// damaged returns good with one byte masked, cut bytes off its end and extra
// added, and whether that changed anything.
func damaged(good []byte, at uint16, mask byte, cut uint16, extra []byte) ([]byte, bool) {
	b := bytes.Clone(good)
	b[int(at)%len(b)] ^= mask
	b = append(b[:len(b)-int(cut)%(len(b)+1)], extra...)
	return b, !bytes.Equal(b, good)
}

func BenchmarkDirect(b *testing.B) {
	k, id := testKey(b, 1), passport("N12345678")
	for b.Loop() {
		if _, err := k.Pseudonym(id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlind(b *testing.B) {
	k, id := testKey(b, 1), passport("N12345678")
	for b.Loop() {
		if _, _, err := pseudonym.Blind(k.Public(), id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	k := testKey(b, 1)
	_, request, err := pseudonym.Blind(k.Public(), passport("N12345678"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Evaluate(request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFinalize(b *testing.B) {
	k := testKey(b, 1)
	blinding, request, err := pseudonym.Blind(k.Public(), passport("N12345678"))
	if err != nil {
		b.Fatal(err)
	}
	response, err := k.Evaluate(request)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := blinding.Finalize(response); err != nil {
			b.Fatal(err)
		}
	}
}
