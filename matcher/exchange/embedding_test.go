package exchange_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
)

// ones is 64 values of 1: the smallest container with a known encoding.
func ones() []float32 {
	v := make([]float32, 64)
	for i := range v {
		v[i] = 1
	}
	return v
}

func goldenEmbedding(t testing.TB) []byte {
	t.Helper()
	b := octets(t, `
54454d42 01        TEMB, version 1
01                 float32
03 6d2d31          model "m-1"
4000               64 dimensions
`)
	for range 64 {
		b = append(b, 0, 0, 0x80, 0x3f)
	}
	return b
}

func goldenQuantised(t testing.TB) []byte {
	t.Helper()
	b := octets(t, `
54454d42 01        TEMB, version 1
02                 int8 with scale
03 6d2d31          model "m-1"
4000               64 dimensions
0000003c           scale 1/128
`)
	return append(b, bytes.Repeat([]byte{0x7f, 0x81}, 32)...)
}

func TestEmbeddingGolden(t *testing.T) {
	b, err := exchange.EncodeEmbedding("m-1", ones())
	if err != nil || !bytes.Equal(b, goldenEmbedding(t)) {
		t.Errorf("float32: got %x, %v", b, err)
	}
	q := make([]int8, 64)
	for i := range q {
		q[i] = int8(127 - 254*(i%2))
	}
	b, err = exchange.Embedding{Model: "m-1", Quantised: q, Scale: 1.0 / 128}.Encode()
	if err != nil || !bytes.Equal(b, goldenQuantised(t)) {
		t.Errorf("int8: got %x, %v", b, err)
	}
}

func TestDecodeEmbedding(t *testing.T) {
	a, err := exchange.DecodeEmbedding(goldenEmbedding(t))
	if err != nil {
		t.Fatal(err)
	}
	if a.Model() != "m-1" || a.Dims() != 64 {
		t.Errorf("got %s, %d", a.Model(), a.Dims())
	}
	want, err := face.NewFloat("m-1", ones())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := face.Compare(a, want); err != nil || s < 0.999999 {
		t.Errorf("float32: got %v, %v", s, err)
	}
	q, err := exchange.DecodeEmbedding(goldenQuantised(t))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := face.Compare(a, q); err != nil || math.Abs(s) > 1e-6 {
		t.Errorf("int8: got %v, %v, want orthogonal", s, err)
	}
}

func TestParseEmbeddingRefuses(t *testing.T) {
	float := func(bits uint32) []byte { return binary.LittleEndian.AppendUint32(nil, bits) }
	put := func(b []byte, at int, v ...byte) []byte { copy(b[at:], v); return b }
	const data, model = 12, 7
	f, q := func() []byte { return goldenEmbedding(t) }, func() []byte { return goldenQuantised(t) }
	zero := append(f()[:data:data], make([]byte, 256)...)
	known := func(id string, dims int) []byte {
		b := append([]byte("TEMB\x01\x01"), byte(len(id)))
		b = binary.LittleEndian.AppendUint16(append(b, id...), uint16(dims))
		return append(b, bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, dims)...)
	}
	for name, c := range map[string]struct {
		b      []byte
		offset int
		rule   string
	}{
		"empty":           {nil, 0, "record ends early"},
		"cut-header":      {f()[:6], 6, "record ends early"},
		"magic":           {put(f(), 0, 't'), 0, "wrong format identifier"},
		"version":         {put(f(), 4, 2), 4, "wrong version"},
		"element-0":       {put(f(), 5, 0), 5, "unknown element type"},
		"element-3":       {put(f(), 5, 3), 5, "unknown element type"},
		"element-swapped": {put(f(), 5, 2), 268, "data longer or shorter than the dimensions say"},
		"model-empty":     {append(append([]byte("TEMB\x01\x01\x00\x40\x00"), f()[data:]...), 0)[:265], 6, "model identifier is not 1 to 64 of a-z 0-9 . _ -"},
		"model-upper":     {put(f(), model, 'M'), 6, "model identifier is not 1 to 64 of a-z 0-9 . _ -"},
		"model-space":     {put(f(), model, ' '), 6, "model identifier is not 1 to 64 of a-z 0-9 . _ -"},
		"model-cut":       {f()[:11], 11, "model identifier ends early"},
		"model-long":      {known(string(bytes.Repeat([]byte("m"), 65)), 64), 6, "model identifier is not 1 to 64 of a-z 0-9 . _ -"},
		"dims-63":         {put(f(), 10, 63), 10, "number of dimensions out of range"},
		"dims-1025":       {put(f(), 10, 1, 4), 10, "number of dimensions out of range"},
		"dims-65":         {put(f(), 10, 65), 268, "data longer or shorter than the dimensions say"},
		"dims-of-model":   {known(face.ModelSynth, 64), 7 + len(face.ModelSynth), "vector does not fit its model"},
		"cut":             {f()[:267], 267, "data longer or shorter than the dimensions say"},
		"trailing":        {append(f(), 0), 269, "data longer or shorter than the dimensions say"},
		"nan":             {put(f(), data+8, float(0x7fc00000)...), data + 8, "value is not finite"},
		"nan-signalling":  {put(f(), data+252, float(0x7f800001)...), data + 252, "value is not finite"},
		"infinite":        {put(f(), data, float(0xff800000)...), data, "value is not finite"},
		"zero":            {zero, data, "vector has no direction"},
		"tiny":            {put(bytes.Clone(zero), data, float(math.Float32bits(1e-7))...), data, "vector has no direction"},
		"scale-zero":      {put(q(), data, 0, 0, 0, 0), data, "scale is not a positive normal number"},
		"scale-negative":  {put(q(), data, float(math.Float32bits(-1))...), data, "scale is not a positive normal number"},
		"scale-nan":       {put(q(), data, float(0x7fc00000)...), data, "scale is not a positive normal number"},
		"scale-infinite":  {put(q(), data, float(0x7f800000)...), data, "scale is not a positive normal number"},
		"scale-subnormal": {put(q(), data, float(1)...), data, "scale is not a positive normal number"},
		"int8-128":        {put(q(), data+4+9, 0x80), data + 4 + 9, "value -128 is not used"},
		"int8-zero":       {append(q()[:data+4:data+4], make([]byte, 64)...), data + 4, "vector has no direction"},
		"int8-trailing":   {append(q(), 0), 81, "data longer or shorter than the dimensions say"},
		"too-large":       {make([]byte, exchange.MaxEmbedding+1), 0, "record exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := exchange.ParseEmbedding(c.b)
			wantFormatError(t, err, exchange.FormatEmbedding, c.offset, c.rule)
			if e.Model != "" || e.Values != nil || e.Quantised != nil {
				t.Error("a refused embedding is not zero")
			}
			if d, err := exchange.DecodeEmbedding(c.b); d != nil || err == nil {
				t.Error("DecodeEmbedding takes what ParseEmbedding refuses")
			}
		})
	}
}

func TestEncodeEmbeddingRefuses(t *testing.T) {
	for name, e := range map[string]exchange.Embedding{
		"nothing":   {Model: "m"},
		"both":      {Model: "m", Values: ones(), Quantised: make([]int8, 64), Scale: 1},
		"model":     {Model: "M", Values: ones()},
		"dims":      {Model: "m", Values: ones()[:63]},
		"long":      {Model: "m", Values: make([]float32, 1025)},
		"quantised": {Model: "m", Quantised: make([]int8, 64), Scale: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := e.Encode()
			var f *exchange.FormatError
			if b != nil || !errors.As(err, &f) {
				t.Errorf("got %x, %v", b, err)
			}
		})
	}
}

func TestLargestEmbedding(t *testing.T) {
	v := make([]float32, 1024)
	v[1000] = -3
	b, err := exchange.EncodeEmbedding(string(bytes.Repeat([]byte("m"), 64)), v)
	if err != nil || len(b) != exchange.MaxEmbedding {
		t.Fatalf("got %d octets, %v", len(b), err)
	}
	if _, err := exchange.DecodeEmbedding(b); err != nil {
		t.Error(err)
	}
}

func FuzzParseEmbedding(f *testing.F) {
	f.Add(goldenEmbedding(f))
	f.Add(goldenQuantised(f))
	f.Add(goldenEmbedding(f)[:12])
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := exchange.ParseEmbedding(b)
		if err != nil {
			var fe *exchange.FormatError
			if e.Model != "" || e.Values != nil || e.Quantised != nil || !errors.As(err, &fe) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("encodes differently: %v", err)
		}
		a, err := exchange.DecodeEmbedding(b)
		if err != nil {
			t.Fatalf("a parsed embedding does not prepare: %v", err)
		}
		if s, err := face.Compare(a, a); err != nil || s < 0.999 {
			t.Errorf("not like itself: %v", err)
		}
	})
}

// TestQuantised: the values stand within half a step, and the template turns by little.
func TestQuantised(t *testing.T) {
	for name, factor := range map[string]float32{"unit": 0.1, "long": 40, "huge": 3e38 / 31, "tiny": 1e-6} {
		v := make([]float32, 128)
		for i := range v {
			v[i] = factor * float32((i*37)%31-15)
		}
		e, err := exchange.Quantised("m", v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, x := range v {
			if d := math.Abs(float64(e.Scale)*float64(e.Quantised[i]) - float64(x)); d > 0.5001*float64(e.Scale) {
				t.Errorf("%s: value %d is off by %v of a scale of %v", name, i, d, e.Scale)
			}
		}
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		q, err := exchange.DecodeEmbedding(b)
		if err != nil {
			t.Fatal(err)
		}
		f, err := face.NewFloat("m", v)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := face.Compare(q, f); err != nil || s < 0.9999 {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
	for name, v := range map[string][]float32{"short": make([]float32, 63), "zero": make([]float32, 64), "nan": append(ones()[:63:63], float32(math.NaN()))} {
		e, err := exchange.Quantised("m", v)
		var f *exchange.FormatError
		if !errors.As(err, &f) || e.Quantised != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
