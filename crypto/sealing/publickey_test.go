package sealing_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/sealing"
)

func TestKeyID(t *testing.T) {
	p := testKey(t, 1).Public()
	// Recomputed from the documented formula.
	sum := sha256.Sum256(append([]byte("tamga/v1/sealing-key"), p.Bytes()...))
	want := base64.RawURLEncoding.EncodeToString(sum[:16])
	if p.KeyID() != want || p.String() != "sealing-key:"+want {
		t.Errorf("key ID %q (%q), want %q", p.KeyID(), p.String(), want)
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	good := testKey(t, 1).Public().Bytes()
	edit := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	tests := map[string][]byte{
		"empty":   nil,
		"short":   good[:1215],
		"long":    append(bytes.Clone(good), 0),
		"seed":    good[:32],
		"mlkem":   edit(func(b []byte) { b[0], b[1] = 0xff, 0xff }), // Coefficient above q.
		"x-zero":  edit(func(b []byte) { clear(b[1184:]) }),
		"x-one":   edit(func(b []byte) { clear(b[1184:]); b[1184] = 1 }),
		"x-prime": edit(func(b []byte) { copy(b[1184:], bytes.Repeat([]byte{0xff}, 32)); b[1184] = 0xed }),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := sealing.ParsePublicKey(b)
			if !errors.Is(err, sealing.ErrKey) || !p.IsZero() {
				t.Errorf("parsed %v, %v; want nothing and ErrKey", p, err)
			}
		})
	}
}

func TestPublicKeyJSON(t *testing.T) {
	p := testKey(t, 1).Public()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kid":"` + p.KeyID() + `","kem":"X-Wing","kdf":"HKDF-SHA256","aead":"AES-256-GCM","pub":"` +
		base64.RawURLEncoding.EncodeToString(p.Bytes()) + `"}`
	if string(data) != want {
		t.Errorf("encoded %.120s…, want %.120s…", data, want)
	}
	var back sealing.PublicKey
	if err := json.Unmarshal(data, &back); err != nil || !back.Equal(p) {
		t.Errorf("decoded %v, %v; want %v", back, err, p)
	}
	if _, err := json.Marshal(sealing.PublicKey{}); !errors.Is(err, sealing.ErrKey) {
		t.Errorf("encoding the zero key: %v, want ErrKey", err)
	}
}

func TestPublicKeyJSONRefuses(t *testing.T) {
	p, other := testKey(t, 1).Public(), testKey(t, 2).Public()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to replace for %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := map[string]struct {
		in   string
		want error
	}{
		"null":         {"null", sealing.ErrKey},
		"array":        {"[" + good + "]", sealing.ErrKey},
		"string":       {`"x"`, sealing.ErrKey},
		"empty-object": {"{}", sealing.ErrKey},
		"missing":      {swap(`"kem":"X-Wing",`, ""), sealing.ErrKey},
		"unknown":      {swap(`{`, `{"use":"enc",`), sealing.ErrKey},
		"case":         {swap(`"kem"`, `"KEM"`), sealing.ErrKey},
		"duplicate":    {swap(`{`, `{"kem":"X-Wing",`), sealing.ErrKey},
		"number":       {swap(`"X-Wing"`, `5`), sealing.ErrKey},
		"nested":       {swap(`"X-Wing"`, `{"a":1}`), sealing.ErrKey},
		"other-kem":    {swap("X-Wing", "X25519"), sealing.ErrSuite},
		"other-kdf":    {swap("SHA256", "SHA512"), sealing.ErrSuite},
		"other-aead":   {swap("AES-256", "AES-128"), sealing.ErrSuite},
		"other-kid":    {swap(p.KeyID(), other.KeyID()), sealing.ErrKey},
		"pub-padding":  {swap(`"}`, `="}`), sealing.ErrKey},
		"pub-newline":  {swap(`"}`, `\n"}`), sealing.ErrKey},
		"pub-cut":      {good[:len(good)-6] + `"}`, sealing.ErrKey},
		"huge":         {swap(`{`, `{`+strings.Repeat(" ", 5000)), sealing.ErrKey},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := other
			err := got.UnmarshalJSON([]byte(tt.in))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if !got.Equal(other) {
				t.Error("a refused key was stored all the same")
			}
		})
	}
	for name, in := range map[string]string{"trailing": good + "{}", "unterminated": good[:len(good)-1]} {
		var got sealing.PublicKey
		if err := got.UnmarshalJSON([]byte(in)); !errors.Is(err, sealing.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
}

func TestPublicKeyMemory(t *testing.T) {
	raw := testKey(t, 1).Public().Bytes()
	p, err := sealing.ParsePublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	raw[0] ^= 1
	p.Bytes()[1] ^= 1
	if !p.Equal(testKey(t, 1).Public()) {
		t.Error("the key shares memory with its input or output")
	}
	zero := sealing.PublicKey{}
	if p.Equal(zero) || zero.Equal(p) || !zero.Equal(zero) || zero.KeyID() != "" || zero.Bytes() != nil {
		t.Error("the zero key is not empty")
	}
}

func FuzzPublicKeyJSON(f *testing.F) {
	data, err := json.Marshal(testKey(f, 1).Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"kid":"","kem":"X-Wing","kdf":"HKDF-SHA256","aead":"AES-256-GCM","pub":""}`))
	f.Add([]byte(`{"kem":"X25519","kem":"X-Wing"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p sealing.PublicKey
		if err := p.UnmarshalJSON(data); err != nil {
			if !p.IsZero() {
				t.Error("an error came with a key")
			}
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q sealing.PublicKey
		if err := q.UnmarshalJSON(again); err != nil || !q.Equal(p) {
			t.Errorf("an accepted key does not survive encoding: %v", err)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(testKey(f, 1).Public().Bytes())
	f.Add(make([]byte, sealing.PublicKeySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := sealing.ParsePublicKey(b)
		if err != nil {
			if !p.IsZero() {
				t.Error("an error came with a key")
			}
			return
		}
		if !bytes.Equal(p.Bytes(), b) {
			t.Error("an accepted key encodes to other bytes")
		}
		if _, err := sealing.Seal(p, nil, nil, nil); err != nil {
			t.Errorf("an accepted key cannot be sealed to: %v", err)
		}
	})
}

// FuzzOpen damages a message sealed in this process (sealing is random, and
// fuzz workers are processes of their own), and opens what the fuzzer made up.
func FuzzOpen(f *testing.F) {
	k := testKey(f, 1)
	good, err := sealing.Seal(k.Public(), info, aad, []byte("seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), byte(0), uint16(0), []byte{})
	f.Add(uint16(1119), byte(0x80), uint16(0), []byte{})
	f.Add(uint16(0), byte(0), uint16(1), []byte{0})
	f.Add(uint16(0), byte(0), uint16(60000), make([]byte, sealing.Overhead))
	f.Fuzz(func(t *testing.T, at uint16, mask byte, cut uint16, extra []byte) {
		b, changed := damaged(good, at, mask, cut, extra)
		got, err := k.Open(info, aad, b)
		if changed != (err != nil) || err != nil && (err != sealing.ErrOpen || got != nil) {
			t.Errorf("changed %v: opened %d bytes, %v", changed, len(got), err)
		}
		if got, err := k.Open(info, extra, good); err == nil && !bytes.Equal(extra, aad) {
			t.Errorf("opened %d bytes with another aad", len(got))
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
