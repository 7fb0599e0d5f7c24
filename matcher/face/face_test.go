package face_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/tamga-id/tamga/matcher/face"
)

// ramp is a vector with a direction of its own for every seed.
func ramp(seed, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32((i*7+seed*13)%31) - 15
	}
	return v
}

func mustFloat(t testing.TB, model string, v []float32) *face.Template {
	t.Helper()
	f, err := face.NewFloat(model, v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCompareIgnoresLength(t *testing.T) {
	a := ramp(1, 128)
	long := make([]float32, len(a))
	for i := range a {
		long[i] = 40 * a[i]
	}
	got, err := face.Compare(mustFloat(t, "m", a), mustFloat(t, "m", long))
	if err != nil || math.Abs(got-1) > 1e-6 || got > 1 {
		t.Errorf("same direction: got %v, %v, want 1", got, err)
	}
	for i := range long {
		long[i] = -long[i]
	}
	got, err = face.Compare(mustFloat(t, "m", a), mustFloat(t, "m", long))
	if err != nil || math.Abs(got+1) > 1e-6 || got < -1 {
		t.Errorf("opposite direction: got %v, %v, want -1", got, err)
	}
}

func TestCompareIsSymmetric(t *testing.T) {
	for _, dims := range []int{64, 65, 127, 128, 512, 1024} {
		a, b := mustFloat(t, "m", ramp(1, dims)), mustFloat(t, "m", ramp(2, dims))
		ab, err1 := face.Compare(a, b)
		ba, err2 := face.Compare(b, a)
		if err1 != nil || err2 != nil || math.Float64bits(ab) != math.Float64bits(ba) {
			t.Errorf("%d dimensions: %v and %v", dims, ab, ba)
		}
	}
}

func TestInt8EqualsFloat(t *testing.T) {
	q := make([]int8, 128)
	f := make([]float32, 128)
	for i, x := range ramp(3, 128) {
		q[i], f[i] = int8(x), 0.031*x
	}
	qt, err := face.NewInt8("m", q)
	if err != nil {
		t.Fatal(err)
	}
	got, err := face.Compare(qt, mustFloat(t, "m", f))
	if err != nil || math.Abs(got-1) > 1e-6 {
		t.Errorf("got %v, %v, want 1", got, err)
	}
}

func TestNewFloatRefuses(t *testing.T) {
	with := func(x float32) []float32 { v := ramp(1, 128); v[77] = x; return v }
	for name, c := range map[string]struct {
		model string
		v     []float32
	}{
		"nil":          {"m", nil},
		"short":        {"m", ramp(1, face.MinDims-1)},
		"long":         {"m", ramp(1, face.MaxDims+1)},
		"no-model":     {"", ramp(1, 128)},
		"known-dims":   {face.ModelMobileFaceNet, ramp(1, 127)},
		"nan":          {"m", with(float32(math.NaN()))},
		"infinite":     {"m", with(float32(math.Inf(-1)))},
		"zero":         {"m", make([]float32, 128)},
		"no-direction": {"m", append(make([]float32, 127), 1e-7)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := face.NewFloat(c.model, c.v)
			if got != nil || !errors.Is(err, face.ErrVector) {
				t.Errorf("got %v, %v, want ErrVector", got, err)
			}
		})
	}
}

// Huge values must not overflow the norm: float32 squared fits float64.
func TestNewFloatHuge(t *testing.T) {
	v := make([]float32, 128)
	for i := range v {
		v[i] = math.MaxFloat32
	}
	a := mustFloat(t, "m", v)
	if got, err := face.Compare(a, a); err != nil || math.Abs(got-1) > 1e-6 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCompareRefuses(t *testing.T) {
	a := mustFloat(t, "m", ramp(1, 128))
	wiped := mustFloat(t, "m", ramp(1, 128))
	wiped.Wipe()
	wiped.Wipe()
	(*face.Template)(nil).Wipe()
	for name, c := range map[string]struct {
		b    *face.Template
		want error
	}{
		"model": {mustFloat(t, "n", ramp(1, 128)), face.ErrModelMismatch},
		"dims":  {mustFloat(t, "m", ramp(1, 64)), face.ErrModelMismatch},
		"wiped": {wiped, face.ErrWiped},
		"nil":   {nil, face.ErrWiped},
		"zero":  {new(face.Template), face.ErrWiped},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pair := range [][2]*face.Template{{a, c.b}, {c.b, a}} {
				got, err := face.Compare(pair[0], pair[1])
				if !errors.Is(err, c.want) || !math.IsInf(got, -1) {
					t.Errorf("got %v, %v, want -Inf, %v", got, err, c.want)
				}
			}
		})
	}
}

func TestInputIsCopied(t *testing.T) {
	v := ramp(1, 128)
	a := mustFloat(t, "m", v)
	clear(v)
	if got, err := face.Compare(a, a); err != nil || got < 0.999 {
		t.Errorf("got %v, %v", got, err)
	}
	if a.Model() != "m" || a.Dims() != 128 {
		t.Errorf("got %s, %d", a.Model(), a.Dims())
	}
}

func TestTemplateIsRedacted(t *testing.T) {
	v := make([]float32, 128)
	v[5] = 1
	a := mustFloat(t, "m", v)
	type holder struct {
		T  *face.Template
		V  face.Template
		in face.Template
	}
	h := holder{a, *a, *a}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, a, *a, h, []any{a, h})
	}
	l := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l.Debug("x", slog.Any("p", a), slog.Any("v", *a), slog.Any("h", h), slog.Any("s", []face.Template{*a}))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", slog.Any("h", h))
	for _, mark := range []string{"0 0 0", "0,0,0", "3f800000"} {
		if bytes.Contains(out.Bytes(), []byte(mark)) {
			t.Errorf("vector shows as %q in: %.300s", mark, out.String())
		}
	}
	if !bytes.Contains(out.Bytes(), []byte("redacted")) {
		t.Error("nothing was redacted: the test looks at the wrong output")
	}
}

func Example() {
	probe, err := face.NewFloat(face.ModelSynth, ramp(1, 128))
	if err != nil {
		panic(err)
	}
	reference, err := face.NewFloat(face.ModelSynth, ramp(1, 128))
	if err != nil {
		panic(err)
	}
	defer probe.Wipe()
	defer reference.Wipe()
	threshold, err := face.Threshold(face.ModelSynth, 10_000)
	if err != nil {
		panic(err)
	}
	score, err := face.Compare(probe, reference)
	fmt.Println(err == nil && score >= threshold)
	// Output: true
}

func BenchmarkCompare(b *testing.B) {
	x, y := mustFloat(b, "m", ramp(1, 128)), mustFloat(b, "m", ramp(2, 128))
	for b.Loop() {
		_, _ = face.Compare(x, y)
	}
}
