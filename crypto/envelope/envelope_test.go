package envelope_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/redacttest"
)

var (
	alice = bytes.Repeat([]byte{0xa1}, 32)
	bob   = bytes.Repeat([]byte{0xb0}, 32)
)

// testKEKs are the KEKs of generations 1 to current, told apart by fill.
func testKEKs(fill byte, current uint32) map[uint32][]byte {
	keks := make(map[uint32][]byte)
	for g := uint32(1); g <= current; g++ {
		keks[g] = bytes.Repeat([]byte{fill, byte(g), 0x5a, fill}, 8)
	}
	return keks
}

func testRing(t testing.TB, fill byte, current uint32) *envelope.Ring {
	t.Helper()
	return ringOf(t, testKEKs(fill, current), current)
}

func ringOf(t testing.TB, keks map[uint32][]byte, current uint32) *envelope.Ring {
	t.Helper()
	r, err := envelope.NewRing(keks, current)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newDEK(t testing.TB, r *envelope.Ring, pseudonym []byte) (envelope.DEK, []byte) {
	t.Helper()
	d, wrapped, err := r.NewDEK(pseudonym)
	if err != nil {
		t.Fatal(err)
	}
	return d, wrapped
}

func TestWrapThenUnwrap(t *testing.T) {
	r := testRing(t, 1, 3)
	d, wrapped := newDEK(t, r, alice)
	if len(wrapped) != envelope.WrappedSize || binary.BigEndian.Uint32(wrapped) != 3 {
		t.Errorf("wrapped %d bytes at generation %d, want %d at 3", len(wrapped), binary.BigEndian.Uint32(wrapped), envelope.WrappedSize)
	}
	sealed, err := d.Seal(testAAD(), []byte("template"))
	if err != nil {
		t.Fatal(err)
	}
	// Another process with the same KEKs.
	again, err := testRing(t, 1, 3).UnwrapDEK(alice, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if again.Generation() != 3 || d.Generation() != 3 || (envelope.DEK{}).Generation() != 0 {
		t.Errorf("generations %d and %d, want 3", again.Generation(), d.Generation())
	}
	got, err := again.Open(testAAD(), sealed)
	if err != nil || string(got) != "template" {
		t.Errorf("opened %q, %v", got, err)
	}
}

// TestWrapFormat rebuilds the wrapping from its description: AAD and layout.
func TestWrapFormat(t *testing.T) {
	_, wrapped := newDEK(t, testRing(t, 1, 7), alice)
	block, err := aes.NewCipher(testKEKs(1, 7)[7])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	aad := []byte("\x00\x00\x00\x0ctamga/v1/dek\x00\x00\x00\x20" + string(alice) + "\x00\x00\x00\x07")
	dek, err := aead.Open(nil, wrapped[4:16], wrapped[16:], aad)
	if err != nil || len(dek) != 32 {
		t.Errorf("the documented format does not open what was wrapped: %d bytes, %v", len(dek), err)
	}
}

func TestUnwrapRefuses(t *testing.T) {
	r := testRing(t, 1, 3)
	_, good := newDEK(t, r, alice)
	edit := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	generation := func(g uint32) []byte {
		return edit(func(b []byte) { binary.BigEndian.PutUint32(b, g) })
	}
	tests := map[string]struct {
		ring               *envelope.Ring
		pseudonym, wrapped []byte
		want               error
	}{
		"other-keks":       {testRing(t, 2, 3), alice, good, envelope.ErrOpen},
		"other-subject":    {r, bob, good, envelope.ErrOpen},
		"pseudonym-prefix": {r, alice[:31], good, envelope.ErrOpen},
		"no-pseudonym":     {r, nil, good, envelope.ErrField},
		"long-pseudonym":   {r, make([]byte, 65), good, envelope.ErrField},
		"older-generation": {r, alice, generation(2), envelope.ErrOpen},
		"newer-generation": {r, alice, generation(4), envelope.ErrGeneration},
		"zero-generation":  {r, alice, generation(0), envelope.ErrGeneration},
		"max-generation":   {r, alice, generation(1<<32 - 1), envelope.ErrGeneration},
		"behind-ring":      {testRing(t, 1, 2), alice, good, envelope.ErrGeneration},
		"nonce":            {r, alice, edit(func(b []byte) { b[4] ^= 1 }), envelope.ErrOpen},
		"key":              {r, alice, edit(func(b []byte) { b[16] ^= 1 }), envelope.ErrOpen},
		"tag":              {r, alice, edit(func(b []byte) { b[len(b)-1] ^= 1 }), envelope.ErrOpen},
		"short":            {r, alice, good[:len(good)-1], envelope.ErrOpen},
		"long":             {r, alice, append(bytes.Clone(good), 0), envelope.ErrOpen},
		"empty":            {r, alice, nil, envelope.ErrOpen},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := tt.ring.UnwrapDEK(tt.pseudonym, tt.wrapped)
			if !errors.Is(err, tt.want) || d.Generation() != 0 {
				t.Errorf("unwrapped generation %d, %v; want %v", d.Generation(), err, tt.want)
			}
			fresh, err := tt.ring.Rewrap(tt.pseudonym, tt.wrapped)
			if !errors.Is(err, tt.want) || fresh != nil {
				t.Errorf("rewrapped %d bytes, %v; want %v", len(fresh), err, tt.want)
			}
		})
	}
}

// TestGenerations wraps under each generation in turn; all must still unwrap
// and rewrap under the last, and records must not notice.
func TestGenerations(t *testing.T) {
	type stored struct{ wrapped, sealed []byte }
	var records []stored
	for g := uint32(1); g <= 5; g++ {
		d, wrapped := newDEK(t, testRing(t, 1, g), alice)
		sealed, err := d.Seal(testAAD(), []byte{byte(g)})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, stored{wrapped, sealed})
	}
	last := testRing(t, 1, 5)
	if last.Current() != 5 {
		t.Errorf("current generation %d, want 5", last.Current())
	}
	for i, rec := range records {
		fresh, err := last.Rewrap(alice, rec.wrapped)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrapped := range [][]byte{rec.wrapped, fresh} {
			d, err := last.UnwrapDEK(alice, wrapped)
			if err != nil {
				t.Fatalf("generation %d: %v", i+1, err)
			}
			got, err := d.Open(testAAD(), rec.sealed)
			if err != nil || !bytes.Equal(got, []byte{byte(i + 1)}) {
				t.Errorf("generation %d: opened %x, %v", i+1, got, err)
			}
		}
		if g := binary.BigEndian.Uint32(fresh); g != 5 {
			t.Errorf("rewrapped at generation %d, want 5", g)
		}
	}
}

func TestNewRingRefuses(t *testing.T) {
	good := testKEKs(1, 1)[1]
	tests := map[string]struct {
		keks    map[uint32][]byte
		current uint32
		want    error
	}{
		"none":            {nil, 1, envelope.ErrGeneration},
		"not-current":     {map[uint32][]byte{1: good}, 2, envelope.ErrGeneration},
		"current-zero":    {map[uint32][]byte{0: good}, 0, envelope.ErrGeneration},
		"generation-zero": {map[uint32][]byte{0: good, 1: good}, 1, envelope.ErrGeneration},
		"zero-key":        {map[uint32][]byte{1: make([]byte, 32)}, 1, envelope.ErrNoKey},
		"short-key":       {map[uint32][]byte{1: good, 2: good[:31]}, 1, envelope.ErrNoKey},
		"no-key":          {map[uint32][]byte{1: nil}, 1, envelope.ErrNoKey},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := envelope.NewRing(tt.keks, tt.current)
			if !errors.Is(err, tt.want) || r != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestDestroyedGeneration is what erasure past backups rests on: without the
// KEK of its generation a wrapped DEK opens under no other one.
func TestDestroyedGeneration(t *testing.T) {
	keks := testKEKs(1, 3)
	_, wrapped := newDEK(t, ringOf(t, keks, 2), alice)
	kept, err := ringOf(t, keks, 3).Rewrap(alice, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	delete(keks, 2)
	after := ringOf(t, keks, 3)
	if got := after.Generations(); !slices.Equal(got, []uint32{1, 3}) {
		t.Errorf("generations %d, want 1 and 3", got)
	}
	if _, err := after.UnwrapDEK(alice, wrapped); !errors.Is(err, envelope.ErrGeneration) {
		t.Errorf("unwrapping of a destroyed generation: %v, want ErrGeneration", err)
	}
	for _, g := range []uint32{1, 3} {
		relabelled := bytes.Clone(wrapped)
		binary.BigEndian.PutUint32(relabelled, g)
		if _, err := after.UnwrapDEK(alice, relabelled); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("unwrapping as generation %d: %v, want ErrOpen", g, err)
		}
	}
	if _, err := after.UnwrapDEK(alice, kept); err != nil {
		t.Errorf("what was rewrapped does not open: %v", err)
	}
}

func TestRingWipe(t *testing.T) {
	keks := testKEKs(1, 2)
	r := ringOf(t, keks, 2)
	clear(keks[2]) // the ring holds copies
	_, wrapped := newDEK(t, r, alice)
	if _, err := testRing(t, 1, 2).UnwrapDEK(alice, wrapped); err != nil {
		t.Errorf("a ring lost its keys with the caller's: %v", err)
	}
	twin := *r
	r.Wipe()
	r.Wipe()
	if _, _, err := twin.NewDEK(alice); !errors.Is(err, envelope.ErrNoKey) {
		t.Errorf("wrapping under a wiped ring: %v, want ErrNoKey", err)
	}
	if _, err := twin.UnwrapDEK(alice, wrapped); !errors.Is(err, envelope.ErrNoKey) || len(twin.Generations()) != 0 {
		t.Errorf("unwrapping under a wiped ring of generations %d: %v, want ErrNoKey", twin.Generations(), err)
	}
}

func TestNewKEK(t *testing.T) {
	a, err := envelope.NewKEK()
	if err != nil {
		t.Fatal(err)
	}
	b, err := envelope.NewKEK()
	if err != nil || len(a) != 32 || bytes.Equal(a, b) {
		t.Errorf("two KEKs of %d bytes, equal: %v, %v", len(a), bytes.Equal(a, b), err)
	}
}

func TestNewDEKRefusesPseudonym(t *testing.T) {
	for _, p := range [][]byte{nil, make([]byte, 65)} {
		if _, wrapped, err := testRing(t, 1, 1).NewDEK(p); !errors.Is(err, envelope.ErrField) || wrapped != nil {
			t.Errorf("pseudonym of %d bytes: %v, want ErrField", len(p), err)
		}
	}
}

func TestRedaction(t *testing.T) {
	r := testRing(t, 0x9c, 1)
	d, _ := newDEK(t, r, alice)
	redacttest.Check(t, d, envelope.DEKBytes(d))
	redacttest.Check(t, *r, envelope.RingBytes(r))
	redacttest.Check(t, r, envelope.RingBytes(r))
}

// FuzzUnwrap damages a DEK wrapped in this process: wrapping is random, and
// fuzz workers are processes of their own.
func FuzzUnwrap(f *testing.F) {
	r := testRing(f, 1, 3)
	_, good := newDEK(f, r, alice)
	f.Add(uint16(0), byte(0), uint16(0), []byte{})
	f.Add(uint16(3), byte(1), uint16(0), []byte{})
	f.Add(uint16(0), byte(0), uint16(64), make([]byte, envelope.WrappedSize))
	f.Fuzz(func(t *testing.T, at uint16, mask byte, cut uint16, extra []byte) {
		b, changed := damaged(good, at, mask, cut, extra)
		d, err := r.UnwrapDEK(alice, b)
		if changed != (err != nil) || (err != nil) != (d.Generation() == 0) {
			t.Errorf("changed %v: unwrapped generation %d, %v", changed, d.Generation(), err)
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

// TestRingUsing wraps under another generation of the same keys, which are wiped once.
func TestRingUsing(t *testing.T) {
	r := ringOf(t, testKEKs(1, 2), 1)
	next, err := r.Using(2)
	if err != nil || next.Current() != 2 || r.Current() != 1 {
		t.Fatalf("current %d, %v", next.Current(), err)
	}
	_, wrapped, err := next.NewDEK([]byte("p"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.UnwrapDEK([]byte("p"), wrapped)
	if err != nil || d.Generation() != 2 {
		t.Errorf("generation %d, %v", d.Generation(), err)
	}
	if _, err := r.Using(3); !errors.Is(err, envelope.ErrGeneration) {
		t.Errorf("a generation that is not there: %v", err)
	}
	r.Wipe()
	if _, err := next.UnwrapDEK([]byte("p"), wrapped); !errors.Is(err, envelope.ErrNoKey) {
		t.Errorf("after wiping: %v", err)
	}
	if _, err := r.Using(2); !errors.Is(err, envelope.ErrGeneration) {
		t.Errorf("of a wiped ring: %v", err)
	}
}
