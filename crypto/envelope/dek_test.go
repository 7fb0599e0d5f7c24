package envelope_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/crypto/envelope"
)

func testAAD() envelope.AAD {
	return envelope.AAD{
		Node: "https://kaz.example", Pseudonym: alice,
		Modality: "finger", Format: "iso-19794-2-2005",
		Version: 1, KeyGeneration: 3,
	}
}

// TestRecordBinding opens a record with one field of its AAD different.
func TestRecordBinding(t *testing.T) {
	d, _ := newDEK(t, testRing(t, 1, 3), alice)
	sealed, err := d.Seal(testAAD(), []byte("template"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*envelope.AAD){
		"node":       func(a *envelope.AAD) { a.Node = "https://uzb.example" },
		"pseudonym":  func(a *envelope.AAD) { a.Pseudonym = bob },
		"modality":   func(a *envelope.AAD) { a.Modality = "face" },
		"format":     func(a *envelope.AAD) { a.Format = "tamga-embedding-1" },
		"version":    func(a *envelope.AAD) { a.Version = 2 },
		"rollback":   func(a *envelope.AAD) { a.Version = 0 },
		"generation": func(a *envelope.AAD) { a.KeyGeneration = 2 },
		"swapped":    func(a *envelope.AAD) { a.Modality, a.Format = a.Format, a.Modality },
		"counters":   func(a *envelope.AAD) { a.Version, a.KeyGeneration = a.KeyGeneration, a.Version },
		"boundary":   func(a *envelope.AAD) { a.Modality, a.Format = "fingeri", "so-19794-2-2005" },
		"case":       func(a *envelope.AAD) { a.Modality = "Finger" },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			a := testAAD()
			edit(&a)
			if got, err := d.Open(a, sealed); !errors.Is(err, envelope.ErrOpen) || got != nil {
				t.Errorf("opened %q, %v; want ErrOpen", got, err)
			}
		})
	}
	if got, err := d.Open(testAAD(), sealed); err != nil || string(got) != "template" {
		t.Errorf("opened %q, %v with nothing changed", got, err)
	}
}

func TestOpenRefusesBytes(t *testing.T) {
	d, _ := newDEK(t, testRing(t, 1, 3), alice)
	other, _ := newDEK(t, testRing(t, 1, 3), alice)
	good, err := d.Seal(testAAD(), []byte("template"))
	if err != nil {
		t.Fatal(err)
	}
	if len(good) != envelope.Overhead+len("template") {
		t.Errorf("sealed to %d bytes", len(good))
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x80
		if _, err := d.Open(testAAD(), b); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("byte %d flipped: %v, want ErrOpen", i, err)
		}
	}
	for n := range good {
		if _, err := d.Open(testAAD(), good[:n]); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("cut to %d bytes: %v, want ErrOpen", n, err)
		}
	}
	if _, err := other.Open(testAAD(), good); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("another DEK of the same subject: %v, want ErrOpen", err)
	}
}

func TestAADBounds(t *testing.T) {
	tests := map[string]func(*envelope.AAD){
		"no-node":        func(a *envelope.AAD) { a.Node = "" },
		"long-node":      func(a *envelope.AAD) { a.Node = strings.Repeat("n", 2049) },
		"no-pseudonym":   func(a *envelope.AAD) { a.Pseudonym = nil },
		"long-pseudonym": func(a *envelope.AAD) { a.Pseudonym = make([]byte, 65) },
		"no-modality":    func(a *envelope.AAD) { a.Modality = "" },
		"long-modality":  func(a *envelope.AAD) { a.Modality = strings.Repeat("m", 65) },
		"no-format":      func(a *envelope.AAD) { a.Format = "" },
		"long-format":    func(a *envelope.AAD) { a.Format = strings.Repeat("f", 129) },
	}
	d, _ := newDEK(t, testRing(t, 1, 3), alice)
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			a := testAAD()
			edit(&a)
			if b, err := a.Encode(); !errors.Is(err, envelope.ErrField) || b != nil {
				t.Errorf("encoded %d bytes, %v; want ErrField", len(b), err)
			}
			if _, err := d.Seal(a, nil); !errors.Is(err, envelope.ErrField) {
				t.Errorf("sealed: %v, want ErrField", err)
			}
			if _, err := d.Open(a, make([]byte, 64)); !errors.Is(err, envelope.ErrField) {
				t.Errorf("opened: %v, want ErrField", err)
			}
		})
	}
}

// TestAADEncoding pins every byte of the encoding.
func TestAADEncoding(t *testing.T) {
	a := envelope.AAD{Node: "n", Pseudonym: []byte{0xff, 0}, Modality: "mo", Format: "for", Version: 1, KeyGeneration: 0x01020304}
	want := "\x00\x00\x00\x0ftamga/v1/record" + // label
		"\x00\x00\x00\x01n" + // node
		"\x00\x00\x00\x02\xff\x00" + // pseudonym
		"\x00\x00\x00\x02mo" + // modality
		"\x00\x00\x00\x03for" + // format
		"\x00\x00\x00\x01" + // version
		"\x01\x02\x03\x04" // generation
	got, err := a.Encode()
	if err != nil || string(got) != want {
		t.Errorf("encoded %q, %v; want %q", got, err, want)
	}
}

// TestAADInjective looks for two different AADs with one encoding.
func TestAADInjective(t *testing.T) {
	field := rapid.StringMatching("[ab\x00]{1,4}")
	gen := rapid.Custom(func(t *rapid.T) envelope.AAD {
		return envelope.AAD{
			Node: field.Draw(t, "node"), Pseudonym: []byte(field.Draw(t, "pseudonym")),
			Modality: field.Draw(t, "modality"), Format: field.Draw(t, "format"),
			Version: rapid.Uint32Max(2).Draw(t, "version"), KeyGeneration: rapid.Uint32Max(2).Draw(t, "generation"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		same := a.Node == b.Node && bytes.Equal(a.Pseudonym, b.Pseudonym) && a.Modality == b.Modality &&
			a.Format == b.Format && a.Version == b.Version && a.KeyGeneration == b.KeyGeneration
		ea, errA := a.Encode()
		eb, errB := b.Encode()
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if bytes.Equal(ea, eb) != same {
			t.Errorf("%+v and %+v: equal encodings %v, equal fields %v", a, b, !same, same)
		}
	})
}

func TestWipe(t *testing.T) {
	d, wrapped := newDEK(t, testRing(t, 1, 3), alice)
	sealed, err := d.Seal(testAAD(), []byte("template"))
	if err != nil {
		t.Fatal(err)
	}
	twin := d
	d.Wipe()
	d.Wipe()
	envelope.DEK{}.Wipe()
	for name, dead := range map[string]envelope.DEK{"wiped": d, "copy": twin, "zero": {}} {
		if _, err := dead.Seal(testAAD(), nil); !errors.Is(err, envelope.ErrNoKey) {
			t.Errorf("%s: sealed: %v, want ErrNoKey", name, err)
		}
		if _, err := dead.Open(testAAD(), sealed); !errors.Is(err, envelope.ErrNoKey) {
			t.Errorf("%s: opened: %v, want ErrNoKey", name, err)
		}
	}
	again, err := testRing(t, 1, 3).UnwrapDEK(alice, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(testAAD(), sealed); err != nil || string(got) != "template" {
		t.Errorf("opened %q, %v with a DEK unwrapped anew", got, err)
	}
}

func TestConcurrentWipe(t *testing.T) {
	d, _ := newDEK(t, testRing(t, 1, 3), alice)
	sealed, err := d.Seal(testAAD(), []byte("template"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				// Never anything between the right bytes and no key.
				got, err := d.Open(testAAD(), sealed)
				if !errors.Is(err, envelope.ErrNoKey) && string(got) != "template" {
					t.Errorf("opened %q, %v", got, err)
				}
			}
		})
	}
	d.Wipe()
	wg.Wait()
}

func FuzzOpenRecord(f *testing.F) {
	d, _ := newDEK(f, testRing(f, 1, 3), alice)
	good, err := d.Seal(testAAD(), []byte("template"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), byte(0), uint16(0), []byte{})
	f.Add(uint16(12), byte(1), uint16(0), []byte{})
	f.Add(uint16(0), byte(0), uint16(60000), make([]byte, envelope.Overhead))
	f.Fuzz(func(t *testing.T, at uint16, mask byte, cut uint16, extra []byte) {
		b, changed := damaged(good, at, mask, cut, extra)
		got, err := d.Open(testAAD(), b)
		if changed != (err != nil) || err != nil && got != nil {
			t.Errorf("changed %v: opened %d bytes, %v", changed, len(got), err)
		}
	})
}

func BenchmarkUnwrapAndOpen2K(b *testing.B) {
	r := testRing(b, 1, 3)
	d, wrapped := newDEK(b, r, alice)
	sealed, err := d.Seal(testAAD(), make([]byte, 2048))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := r.UnwrapDEK(alice, wrapped)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Open(testAAD(), sealed); err != nil {
			b.Fatal(err)
		}
		d.Wipe()
	}
}

func BenchmarkNewDEKAndSeal2K(b *testing.B) {
	r, record := testRing(b, 1, 3), make([]byte, 2048)
	for b.Loop() {
		d, _, err := r.NewDEK(alice)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Seal(testAAD(), record); err != nil {
			b.Fatal(err)
		}
		d.Wipe()
	}
}
