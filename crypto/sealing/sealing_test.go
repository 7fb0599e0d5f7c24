package sealing_test

import (
	"bytes"
	"crypto/ecdh"
	stdhpke "crypto/hpke"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/crypto/redacttest"
	"github.com/tamga-id/tamga/crypto/sealing"
)

var (
	info = []byte("tamga/v1/test")
	aad  = []byte("bound to this")
)

func testKey(t testing.TB, fill byte) sealing.PrivateKey {
	t.Helper()
	k, err := sealing.NewPrivateKey(bytes.Repeat([]byte{fill}, sealing.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestStandardLibraryOpens(t *testing.T) {
	k := testKey(t, 1)
	std, err := stdhpke.MLKEM768X25519().NewPrivateKey(k.Seed())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(std.PublicKey().Bytes(), k.Public().Bytes()) {
		t.Fatal("the standard library derives another public key from the seed")
	}
	for _, msg := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("tamga"), 20_000)} {
		sealed, err := sealing.Seal(k.Public(), info, aad, msg)
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len(msg)+sealing.Overhead {
			t.Errorf("%d bytes sealed for %d, want %d more", len(sealed), len(msg), sealing.Overhead)
		}
		r, err := stdhpke.NewRecipient(sealed[:1120], std, stdhpke.HKDFSHA256(), stdhpke.AES256GCM(), info)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Open(aad, sealed[1120:])
		if err != nil || !bytes.Equal(got, msg) {
			t.Errorf("standard library opened %d bytes, %v; want %d", len(got), err, len(msg))
		}
	}
}

func TestOpensStandardLibrary(t *testing.T) {
	k := testKey(t, 2)
	pub, err := stdhpke.MLKEM768X25519().NewPublicKey(k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	enc, s, err := stdhpke.NewSender(pub, stdhpke.HKDFSHA256(), stdhpke.AES256GCM(), info)
	if err != nil {
		t.Fatal(err)
	}
	ct, err := s.Seal(aad, []byte("from elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Open(info, aad, append(enc, ct...))
	if err != nil || string(got) != "from elsewhere" {
		t.Errorf("opened %q, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	k := testKey(t, 3)
	msg := []byte("a probe")
	good, err := sealing.Seal(k.Public(), info, aad, msg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(info, aad, good); err != nil || !bytes.Equal(got, msg) {
		t.Fatalf("opened %q, %v before any fault", got, err)
	}
	flip := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 1
		return b
	}
	lowOrder := bytes.Clone(good)
	clear(lowOrder[1120-32 : 1120])
	tests := map[string]struct {
		key               sealing.PrivateKey
		info, aad, sealed []byte
	}{
		"other-key":     {testKey(t, 4), info, aad, good},
		"zero-key":      {sealing.PrivateKey{}, info, aad, good},
		"other-info":    {k, []byte("tamga/v1/tesT"), aad, good},
		"no-info":       {k, nil, aad, good},
		"other-aad":     {k, info, []byte("bound to that"), good},
		"no-aad":        {k, info, nil, good},
		"info-as-aad":   {k, aad, info, good},
		"empty":         {k, info, aad, nil},
		"enc-only":      {k, info, aad, good[:1120]},
		"tag-cut":       {k, info, aad, good[:len(good)-1]},
		"minimum":       {k, info, aad, good[:sealing.Overhead]},
		"longer":        {k, info, aad, append(bytes.Clone(good), 0)},
		"flip-mlkem":    {k, info, aad, flip(0)},
		"flip-x25519":   {k, info, aad, flip(1119)},
		"flip-text":     {k, info, aad, flip(1120)},
		"flip-tag":      {k, info, aad, flip(len(good) - 1)},
		"low-order-enc": {k, info, aad, lowOrder},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.key.Open(tt.info, tt.aad, tt.sealed)
			// Equality, not Is: a wrapped error could carry the cause.
			if err != sealing.ErrOpen || got != nil {
				t.Errorf("opened %q, %v; want nothing and exactly ErrOpen", got, err)
			}
		})
	}
}

// TestEphemeral: a key without a seed opens what the standard library, the specification and this
// package seal to it, refuses what any key refuses, and is no other key.
func TestEphemeral(t *testing.T) {
	k, err := sealing.GenerateEphemeral()
	if err != nil {
		t.Fatal(err)
	}
	other, err := sealing.GenerateEphemeral()
	if err != nil {
		t.Fatal(err)
	}
	if k.Seed() != nil || k.Equal(other) || !k.Equal(k) || k.Equal(testKey(t, 3)) || k.Public().KeyID() == other.Public().KeyID() {
		t.Error("an ephemeral key has a seed, or is another")
	}
	if p, err := sealing.ParsePublicKey(k.Public().Bytes()); err != nil || !p.Equal(k.Public()) || p.KeyID() != k.Public().KeyID() {
		t.Errorf("its public key parses to %v, error %v", p, err)
	}
	msg := []byte("an answer")
	pub, err := stdhpke.MLKEM768X25519().NewPublicKey(k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	enc, s, err := stdhpke.NewSender(pub, stdhpke.HKDFSHA256(), stdhpke.AES256GCM(), info)
	if err != nil {
		t.Fatal(err)
	}
	ct, err := s.Seal(aad, msg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(info, aad, append(enc, ct...)); err != nil || !bytes.Equal(got, msg) {
		t.Errorf("of the standard library it opened %q, %v", got, err)
	}
	good, err := sealing.Seal(k.Public(), info, aad, msg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(info, aad, good); err != nil || !bytes.Equal(got, msg) {
		t.Errorf("it opened %q, %v", got, err)
	}
	refused := func(name string, k sealing.PrivateKey, info, aad, sealed []byte) {
		if got, err := k.Open(info, aad, sealed); err != sealing.ErrOpen || got != nil {
			t.Errorf("%s: opened %q, %v; want nothing and exactly ErrOpen", name, got, err)
		}
	}
	refused("other key", other, info, aad, good)
	refused("other info", k, aad, aad, good)
	refused("other aad", k, info, info, good)
	for _, n := range []int{0, 1, 1119, 1120, sealing.Overhead - 1, len(good) - 1} {
		refused("cut", k, info, aad, good[:n])
	}
	for i := 0; i < len(good); i += 37 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		refused("a bit", k, info, aad, bad)
	}
	bad := bytes.Clone(good)
	clear(bad[1120-32 : 1120])
	refused("low order", k, info, aad, bad)
}

func TestSealIsRandomized(t *testing.T) {
	k := testKey(t, 5)
	a, errA := sealing.Seal(k.Public(), info, aad, []byte("same"))
	b, errB := sealing.Seal(k.Public(), info, aad, []byte("same"))
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("two sealings of one message are equal (%v, %v)", errA, errB)
	}
}

func TestSealRefusesZeroKey(t *testing.T) {
	got, err := sealing.Seal(sealing.PublicKey{}, info, aad, nil)
	if !errors.Is(err, sealing.ErrKey) || got != nil {
		t.Errorf("sealed %d bytes, %v; want ErrKey", len(got), err)
	}
}

// TestLowOrderAgreesWithECDH holds the table against crypto/ecdh, which finds
// such points by computing with them.
func TestLowOrderAgreesWithECDH(t *testing.T) {
	private, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(u []byte) bool {
		pub, err := ecdh.X25519().NewPublicKey(u)
		if err != nil {
			t.Fatal(err)
		}
		_, err = private.ECDH(pub)
		return err != nil
	}
	edge := func(low byte) []byte {
		u := bytes.Repeat([]byte{0xff}, 32)
		u[0], u[31] = low, 0x7f
		return u
	}
	var candidates [][]byte
	for low := range 256 {
		candidates = append(candidates, edge(byte(low)), append([]byte{byte(low)}, make([]byte, 31)...))
	}
	candidates = append(candidates,
		[]byte("\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a\xda\x09\x8d\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00"),
		[]byte("\x5f\x9c\x95\xbc\xa3\x50\x8c\x24\xb1\xd0\xb1\x55\x9c\x83\xef\x5b\x04\x44\x5c\xc4\x58\x1c\x8e\x86\xd8\x22\x4e\xdd\xd0\x9f\x11\x57"))
	found := 0
	for _, u := range candidates {
		for _, top := range []byte{0, 0x80} {
			u[31] = u[31]&0x7f | top
			want := refused(u)
			if got := sealing.LowOrder(u); got != want {
				t.Errorf("low order of %x = %v, crypto/ecdh says %v", u, got, want)
			}
			if want {
				found++
			}
		}
	}
	if found != 14 {
		t.Errorf("%d low-order encodings met, want all 14", found)
	}
}

func TestPrivateKeyRedaction(t *testing.T) {
	seed := []byte("\x81\x92\xa3KLMNOPQRSTUVWXYZ0123456789!?+")[:sealing.SeedSize]
	k, err := sealing.NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	redacttest.Check(t, k, seed)
}

func TestPrivateKey(t *testing.T) {
	a, b := testKey(t, 1), testKey(t, 2)
	zero := sealing.PrivateKey{}
	if !a.Equal(testKey(t, 1)) || a.Equal(b) || a.Equal(zero) || zero.Equal(a) || !zero.Equal(zero) {
		t.Error("Equal is wrong")
	}
	if a.IsZero() || !zero.IsZero() || zero.Seed() != nil || !zero.Public().IsZero() {
		t.Error("the zero key is not empty")
	}
	a.Seed()[0] ^= 1
	if !a.Equal(testKey(t, 1)) {
		t.Error("Seed gave away the key's own memory")
	}
	for _, n := range []int{0, 31, 33} {
		k, err := sealing.NewPrivateKey(make([]byte, n))
		if !errors.Is(err, sealing.ErrKey) || !k.IsZero() {
			t.Errorf("seed of %d bytes: %v, want ErrKey", n, err)
		}
	}
	fresh, err := sealing.GenerateKey()
	other, err2 := sealing.GenerateKey()
	if err != nil || err2 != nil || fresh.Equal(other) {
		t.Errorf("generated keys are equal (%v, %v)", err, err2)
	}
}

func BenchmarkSeal2K(b *testing.B) {
	k, msg := testKey(b, 1), make([]byte, 2048)
	for b.Loop() {
		if _, err := sealing.Seal(k.Public(), info, aad, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen2K(b *testing.B) { benchmarkOpen(b, testKey(b, 1)) }

func BenchmarkOpenEphemeral2K(b *testing.B) {
	k, err := sealing.GenerateEphemeral()
	if err != nil {
		b.Fatal(err)
	}
	benchmarkOpen(b, k)
}

func benchmarkOpen(b *testing.B, k sealing.PrivateKey) {
	sealed, err := sealing.Seal(k.Public(), info, aad, make([]byte, 2048))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Open(info, aad, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		if _, err := sealing.GenerateKey(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerateEphemeral(b *testing.B) {
	for b.Loop() {
		if _, err := sealing.GenerateEphemeral(); err != nil {
			b.Fatal(err)
		}
	}
}
