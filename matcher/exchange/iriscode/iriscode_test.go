package iriscode_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/iris"
)

// header is that of profile "p-1" with the given flags.
func header(flags byte) []byte {
	return []byte{'T', 'I', 'R', 'I', 1, flags, 3, 'p', '-', '1', 128, 8, 2}
}

// golden has a code of 0x11 everywhere and a mask of 0xf1 but for its first octet.
func golden(flags byte) []byte {
	b := append(header(flags), bytes.Repeat([]byte{0x11}, iris.Size)...)
	if flags == 1 {
		b = append(b, bytes.Repeat([]byte{0xf1}, iris.Size)...)
		b[len(b)-iris.Size] = 0xff
	}
	return b
}

func invented(seed uint64, masked bool) (s iris.Sample) {
	r := rand.New(rand.NewPCG(seed, 8))
	for i := range s.Code {
		s.Code[i], s.Mask[i] = byte(r.Uint32()), 0xff
		if masked && i%5 == 0 {
			s.Mask[i] = byte(r.Uint32())
		}
	}
	return s
}

func TestGolden(t *testing.T) {
	for flags := range byte(2) {
		c, err := iriscode.Decode(golden(flags))
		if err != nil {
			t.Fatal(err)
		}
		if c.Profile != "p-1" || c.Sample.Code[9] != 0x11 || c.Sample.Mask[0] != 0xff || (c.Sample.Mask[1] == 0xff) != (flags == 0) {
			t.Errorf("flags %d: profile %q", flags, c.Profile)
		}
		if b, err := c.Encode(); err != nil || !bytes.Equal(b, golden(flags)) {
			t.Errorf("flags %d: encodes differently, %v", flags, err)
		}
	}
}

// TestRoundTrip: what comparison sees survives, and what it does not see does not.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(20) {
		s := invented(seed, seed%2 == 0)
		b, err := iriscode.Code{Profile: strings.Repeat("z", 1+int(seed)*3), Eye: uint8(seed % 3), Sample: s}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c, err := iriscode.Decode(b)
		if err != nil || c.Sample.Mask != s.Mask || c.Eye != uint8(seed%3) {
			t.Fatal(err)
		}
		for i := range s.Code {
			if c.Sample.Code[i] != s.Code[i]&s.Mask[i] {
				t.Fatalf("octet %d differs", i)
			}
		}
	}
	b, err := iriscode.Code{Profile: strings.Repeat("z", 64), Sample: invented(1, true)}.Encode()
	if err != nil || len(b) != iriscode.Max {
		t.Errorf("%d octets, %v, want %d", len(b), err, iriscode.Max)
	}
}

func TestDecodeRefuses(t *testing.T) {
	put := func(at int, v byte) []byte { b := golden(1); b[at] = v; return b }
	const start = 13
	fullMask := append(golden(0), bytes.Repeat([]byte{0xff}, iris.Size)...)
	fullMask[5] = 1
	for name, c := range map[string]struct {
		b      []byte
		offset int
		rule   string
	}{
		"empty":       {nil, 0, "container ends early"},
		"cut-header":  {golden(0)[:6], 6, "container ends early"},
		"cut-profile": {golden(0)[:9], 9, "container ends early"},
		"magic":       {put(3, 'i'), 0, "wrong format identifier"},
		"version":     {put(4, 2), 4, "wrong version"},
		"flags":       {put(5, 9), 5, "reserved flags are not zero"},
		"eye":         {put(5, 7), 5, "eye is not 0 to 2"},
		"no-profile":  {append([]byte("TIRI\x01\x00\x00\x80\x08\x02"), golden(0)[start:]...), 6, "profile is not 1 to 64 of a-z 0-9 . _ -"},
		"profile":     {put(7, 'P'), 6, "profile is not 1 to 64 of a-z 0-9 . _ -"},
		"angles":      {put(10, 64), 10, "shape is not 128 angles, 8 bands, 2 bits"},
		"bands":       {put(11, 16), 10, "shape is not 128 angles, 8 bands, 2 bits"},
		"bits":        {put(12, 1), 10, "shape is not 128 angles, 8 bands, 2 bits"},
		"no-mask":     {put(5, 0), 525, "container is longer or shorter than its flags say"},
		"cut":         {golden(1)[:524], 524, "container is longer or shorter than its flags say"},
		"trailing":    {append(golden(0), 0), 270, "container is longer or shorter than its flags say"},
		"full-mask":   {fullMask, 5, "mask excludes nothing and must be left out"},
		"hidden":      {put(start+2, 0x13), start + 2, "bit of the code outside the mask is not zero"},
		"large":       {make([]byte, iriscode.Max+1), 0, "container exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := iriscode.Decode(c.b)
			var e *exchange.FormatError
			if !errors.As(err, &e) || e.Format != iriscode.Format || e.Offset != c.offset || e.Rule != c.rule {
				t.Errorf("got %v, want offset %d: %s", err, c.offset, c.rule)
			}
			if got.Profile != "" || got.Sample.Code != ([iris.Size]byte{}) {
				t.Error("a refused code is not zero")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, p := range []string{"", "A", "a b", strings.Repeat("a", 65)} {
		var e *exchange.FormatError
		if b, err := (iriscode.Code{Profile: p, Sample: invented(1, true)}).Encode(); b != nil || !errors.As(err, &e) {
			t.Errorf("profile of %d: %v", len(p), err)
		}
	}
}

func TestRedacts(t *testing.T) {
	c := iriscode.Code{Profile: "p", Sample: invented(1, true)}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("c", c))
	for _, got := range []string{fmt.Sprint(c), fmt.Sprintf("%#v", &c), fmt.Sprintf("%x", struct{ C iriscode.Code }{c}), log.String()} {
		if !strings.Contains(got, "iris code(redacted)") || len(got) > 200 {
			t.Errorf("printed %.80q", got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(golden(0))
	f.Add(golden(1))
	f.Add(golden(1)[:200])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := iriscode.Decode(b)
		if err != nil {
			var e *exchange.FormatError
			if c.Profile != "" || c.Sample.Mask != ([iris.Size]byte{}) || !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		if again, err := c.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encodes differently: %v", err)
		}
	})
}

func ExampleDecode() {
	b, err := iriscode.Code{Profile: "gabor-2048", Sample: invented(1, true)}.Encode()
	if err != nil {
		panic(err)
	}
	c, err := iriscode.Decode(b)
	if err != nil {
		panic(err)
	}
	template, err := iris.Prepare(c.Sample)
	if err != nil {
		panic(err)
	}
	defer template.Wipe()
	fmt.Println(len(b), c.Profile, c, template)
	// Output: 532 gabor-2048 iris code(redacted) template(redacted)
}
