package protect_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/protect"
)

func secret(n byte) []byte { return bytes.Repeat([]byte{n}, protect.SecretSize) }

func transform(t testing.TB, n byte, generation uint32, model string, dims int) *protect.Transform {
	t.Helper()
	tr, err := protect.New(secret(n), generation, model, dims)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func vector(r *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(3 * r.NormFloat64())
	}
	return v
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// TestOrthogonal holds every inner product of two columns to what it must be.
func TestOrthogonal(t *testing.T) {
	for _, dims := range []int{64, 65, 128, 511, 1024} {
		if testing.Short() && dims > 128 {
			continue
		}
		q := transform(t, 1, 1, "model", dims).Columns()
		var worst float64
		for i := range q {
			// All pairs of the small ones, neighbours and a stride of the large.
			for j := i; j < dims; j += 1 + dims/128 {
				var dot float64
				for k := range q[i] {
					dot += q[i][k] * q[j][k]
				}
				if i == j {
					dot--
				}
				worst = max(worst, math.Abs(dot))
			}
		}
		if worst > 1e-13 {
			t.Errorf("%d dimensions: columns are off orthogonality by %g", dims, worst)
		}
	}
}

// TestUniform compares moments over many secrets with those of the Haar measure: entries have mean 0,
// variance 1/d and fourth moment 3/(d(d+2)), and the trace has mean 0 and variance 1 (P. Diaconis, M.
// Shahshahani, "On the Eigenvalues of Random Matrices", 1994). Without Mezzadri's signs the mean of the
// first diagonal entry is far from 0.
func TestUniform(t *testing.T) {
	const dims, secrets = 64, 200
	var first, trace, trace2, second, fourth float64
	for n := range secrets {
		q := transform(t, byte(n+1), 1, "model", dims).Columns()
		var tr float64
		for i := range q {
			tr += q[i][i]
			for _, x := range q[i] {
				second += x * x
				fourth += x * x * x * x
			}
		}
		first += q[0][0] * math.Sqrt(dims)
		trace += tr
		trace2 += tr * tr
	}
	n := float64(secrets)
	// Five standard errors each.
	if m := first / n; math.Abs(m) > 5/math.Sqrt(n) {
		t.Errorf("first entry has mean %.3f of its deviation", m)
	}
	if m := trace / n; math.Abs(m) > 5/math.Sqrt(n) {
		t.Errorf("trace has mean %.3f, want 0", m)
	}
	if v := trace2 / n; math.Abs(v-1) > 5*math.Sqrt(2/n) {
		t.Errorf("trace has variance %.3f, want 1", v)
	}
	if f := fourth / (n * dims * dims) * dims * (dims + 2) / 3; math.Abs(f-1) > 0.02 {
		t.Errorf("fourth moment is %.3f of what it must be", f)
	}
	if math.Abs(second/(n*dims)-1) > 1e-12 {
		t.Errorf("columns are not of unit length")
	}
}

// TestPinned fails when the transform of a secret changes: every stored template would be lost.
func TestPinned(t *testing.T) {
	tr := transform(t, 7, 3, "model", 64)
	if got, want := tr.Name(), "model.p3-47b785cb"; got != want {
		t.Errorf("name is %s, want %s", got, want)
	}
	v := make([]float32, 64)
	v[0] = 1
	if err := tr.Apply(v, v); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.1244297, 0.1073979, -0.1219464} {
		if math.Abs(float64(v[i])-want) > 1e-6 {
			t.Errorf("value %d is %.7f, want %.7f", i, v[i], want)
		}
	}
}

func TestScoresStay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, dims := range []int{64, 127, 512, 1024} {
		tr := transform(t, 1, 1, "model", dims)
		for range 50 {
			a, b := vector(r, dims), vector(r, dims)
			want := cosine(a, b)
			pa, pb := make([]float32, dims), make([]float32, dims)
			if err := errors.Join(tr.Apply(pa, a), tr.Apply(pb, b)); err != nil {
				t.Fatal(err)
			}
			if got := cosine(pa, pb); math.Abs(got-want) > 2e-7 {
				t.Fatalf("%d dimensions: cosine moved by %g", dims, got-want)
			}
			if c := cosine(a, pa); math.Abs(c) > 8/math.Sqrt(float64(dims)) {
				t.Errorf("%d dimensions: vector and protected vector have cosine %.2f", dims, c)
			}
			if err := tr.Invert(pa, pa); err != nil || cosine(a, pa) < 1-1e-12 {
				t.Fatalf("inverse is off: %v", err)
			}
		}
	}
}

func TestContainer(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const dims = 128
	one, two := transform(t, 1, 1, "model", dims), transform(t, 1, 2, "model", dims)
	other := transform(t, 2, 1, "model", dims)
	a, b := vector(r, dims), vector(r, dims)
	for name, form := range map[string]func([]float32) exchange.Embedding{
		"float32": func(v []float32) exchange.Embedding { return exchange.Embedding{Model: "model", Values: v} },
		"int8": func(v []float32) exchange.Embedding {
			e, err := exchange.Quantised("model", v)
			if err != nil {
				t.Fatal(err)
			}
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			template := func(e exchange.Embedding, err error) *face.Template {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				if (e.Quantised != nil) != (name == "int8") {
					t.Fatal("form changed")
				}
				octets, err := e.Encode()
				if err != nil {
					t.Fatal(err)
				}
				out, err := exchange.DecodeEmbedding(octets)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			score, err := face.Compare(template(one.Protect(form(a))), template(one.Protect(form(b))))
			if err != nil || math.Abs(score-cosine(a, b)) > 0.01 {
				t.Errorf("cosine moved by %g, %v", score-cosine(a, b), err)
			}
			p, err := one.Protect(form(a))
			if err != nil {
				t.Fatal(err)
			}
			moved, err := protect.Renew(p, one, two)
			score, cerr := face.Compare(template(moved, err), template(two.Protect(form(b))))
			if cerr != nil || math.Abs(score-cosine(a, b)) > 0.015 {
				t.Errorf("renewing moved cosine by %g, %v", score-cosine(a, b), cerr)
			}
			for word, tr := range map[string]*protect.Transform{"generation": two, "secret": other} {
				if _, err := face.Compare(template(p, nil), template(tr.Protect(form(a)))); !errors.Is(err, face.ErrModelMismatch) {
					t.Errorf("another %s: got %v, want a mismatch", word, err)
				}
			}
			if _, err := one.Protect(p); !errors.Is(err, protect.ErrName) {
				t.Errorf("protecting twice: %v", err)
			}
			if _, err := protect.Renew(moved, one, two); !errors.Is(err, protect.ErrName) {
				t.Errorf("renewing twice: %v", err)
			}
			if _, err := protect.Renew(form(a), one, two); !errors.Is(err, protect.ErrName) {
				t.Errorf("renewing what is not protected: %v", err)
			}
		})
	}
}

// TestTurn compares a probe with stored references of both forms.
func TestTurn(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	const dims = 128
	one, two := transform(t, 1, 1, "model", dims), transform(t, 1, 2, "model", dims)
	a, b := vector(r, dims), vector(r, dims)
	plain, err := face.NewFloat("model", a)
	if err != nil {
		t.Fatal(err)
	}
	turned, err := one.Turn(plain)
	if err != nil || turned.Model() != one.Name() {
		t.Fatalf("turned to %q, %v", turned.Model(), err)
	}
	stored, err := one.Protect(exchange.Embedding{Model: "model", Values: b})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := stored.Template()
	if err != nil {
		t.Fatal(err)
	}
	if score, err := face.Compare(turned, reference); err != nil || math.Abs(score-cosine(a, b)) > 2e-7 {
		t.Errorf("cosine moved by %g, %v", score-cosine(a, b), err)
	}
	if _, err := two.Turn(turned); !errors.Is(err, protect.ErrName) {
		t.Errorf("turning twice: %v", err)
	}
	plain.Wipe()
	if _, err := one.Turn(plain); !errors.Is(err, protect.ErrWiped) {
		t.Errorf("turning what is wiped: %v", err)
	}
	two.Wipe()
	if _, err := two.Turn(turned); !errors.Is(err, protect.ErrWiped) {
		t.Errorf("turning with a wiped transform: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	for name, f := range map[string]func() error{
		"short": func() error { _, err := protect.New(make([]byte, 31), 1, "m", 64); return err },
		"zero":  func() error { _, err := protect.New(make([]byte, 32), 1, "m", 64); return err },
	} {
		if err := f(); !errors.Is(err, protect.ErrSecret) {
			t.Errorf("%s secret: %v", name, err)
		}
	}
	for name, f := range map[string]func() (*protect.Transform, error){
		"generation": func() (*protect.Transform, error) { return protect.New(secret(1), 0, "m", 64) },
		"few":        func() (*protect.Transform, error) { return protect.New(secret(1), 1, "m", 63) },
		"many":       func() (*protect.Transform, error) { return protect.New(secret(1), 1, "m", 1025) },
		"unnamed":    func() (*protect.Transform, error) { return protect.New(secret(1), 1, "", 64) },
		"letters":    func() (*protect.Transform, error) { return protect.New(secret(1), 1, "M", 64) },
		"long":       func() (*protect.Transform, error) { return protect.New(secret(1), 1, strings.Repeat("m", 44), 64) },
		"protected":  func() (*protect.Transform, error) { return protect.New(secret(1), 1, "m.p1-00000000", 64) },
		"known":      func() (*protect.Transform, error) { return protect.New(secret(1), 1, face.ModelMobileFaceNet, 64) },
	} {
		if tr, err := f(); !errors.Is(err, protect.ErrParameter) || tr != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr := transform(t, 1, math.MaxUint32, strings.Repeat("m", 43), 64)
	if len(tr.Name()) != 64 {
		t.Errorf("longest name has %d octets", len(tr.Name()))
	}
	good := vector(rand.New(rand.NewPCG(3, 3)), 64)
	for name, v := range map[string][]float32{
		"short": good[:63], "nil": nil, "zero": make([]float32, 64),
		"nan":      append([]float32{float32(math.NaN())}, good[1:]...),
		"infinite": append([]float32{float32(math.Inf(-1))}, good[1:]...),
	} {
		dst := make([]float32, 64)
		if err := tr.Apply(dst, v); !errors.Is(err, protect.ErrVector) || dst[0] != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := tr.Apply(make([]float32, 65), good); !errors.Is(err, protect.ErrVector) {
		t.Errorf("long destination: %v", err)
	}
}

func TestWipe(t *testing.T) {
	tr := transform(t, 1, 1, "model", 64)
	if !protect.Wiped(tr, tr.Wipe) {
		t.Error("something is left")
	}
	tr.Wipe()
	v := make([]float32, 64)
	for _, tr := range []*protect.Transform{tr, nil, {}} {
		if err := tr.Apply(v, v); !errors.Is(err, protect.ErrWiped) {
			t.Errorf("applying: %v", err)
		}
		if _, err := tr.Protect(exchange.Embedding{}); !errors.Is(err, protect.ErrWiped) {
			t.Errorf("protecting: %v", err)
		}
	}
}

func TestRedacts(t *testing.T) {
	tr := transform(t, 1, 1, "model", 64)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("t", tr), slog.Any("v", *tr))
	wrapped := struct{ t protect.Transform }{*tr}
	out := log.String() + fmt.Sprintf("%v %+v %#v %d %x %v", tr, *tr, tr, tr, *tr, wrapped)
	first := fmt.Sprint(tr.Columns()[0][1])
	if strings.Contains(out, first[:8]) || strings.Contains(out, hex.EncodeToString(secret(1))) || !strings.Contains(out, "redacted") {
		t.Errorf("printed: %s", out)
	}
}

func TestAllocations(t *testing.T) {
	tr, v := transform(t, 1, 1, "model", 1024), vector(rand.New(rand.NewPCG(4, 4)), 1024)
	if n := testing.AllocsPerRun(20, func() { _ = tr.Apply(v, v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestKnownPlaintext shows the limit that the package comment states: dims pairs are enough.
func TestKnownPlaintext(t *testing.T) {
	const dims = 64
	r := rand.New(rand.NewPCG(5, 5))
	tr := transform(t, 1, 1, "model", dims)
	// Rows are known vector, then protected vector. Gauss-Jordan gives the transform.
	rows := make([][]float64, dims)
	for i := range rows {
		v, p := vector(r, dims), make([]float32, dims)
		if err := tr.Apply(p, v); err != nil {
			t.Fatal(err)
		}
		norm := math.Sqrt(dot(v, v))
		for _, x := range v {
			rows[i] = append(rows[i], float64(x)/norm)
		}
		for _, x := range p {
			rows[i] = append(rows[i], float64(x))
		}
	}
	solve(rows)
	for i, column := range tr.Columns() {
		for j, x := range column {
			if math.Abs(rows[i][dims+j]-x) > 1e-3 {
				t.Fatalf("%d pairs did not give the transform: document that", dims)
			}
		}
	}
}

func dot(a, b []float32) (s float64) {
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func solve(rows [][]float64) {
	for c := range rows {
		best := c
		for i := c; i < len(rows); i++ {
			if math.Abs(rows[i][c]) > math.Abs(rows[best][c]) {
				best = i
			}
		}
		rows[c], rows[best] = rows[best], rows[c]
		for i := range rows {
			if i == c {
				continue
			}
			f := rows[i][c] / rows[c][c]
			for j := c; j < len(rows[i]); j++ {
				rows[i][j] -= f * rows[c][j]
			}
		}
		f := rows[c][c]
		for j := range rows[c] {
			rows[c][j] /= f
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, dims := range []int{128, 512, 1024} {
		b.Run(fmt.Sprint(dims), func(b *testing.B) {
			tr, v := transform(b, 1, 1, "model", dims), vector(rand.New(rand.NewPCG(6, 6)), dims)
			b.ReportAllocs()
			for b.Loop() {
				_ = tr.Apply(v, v)
			}
		})
	}
}

func FuzzBase(f *testing.F) {
	for _, s := range []string{"", "m.p1-00000000", "m.p01-00000000", "m.p4294967296-00000000", "a.p1-0.p2-ffffffff", ".p1-00000000", "m.p1-0000000G"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		model, generation, ok := protect.Base(name)
		if !ok {
			if model != "" || generation != 0 {
				t.Error("refused name gives something")
			}
			return
		}
		if generation == 0 || !strings.HasPrefix(name, fmt.Sprintf("%s.p%d-", model, generation)) || len(name) != len(fmt.Sprintf("%s.p%d-", model, generation))+8 {
			t.Errorf("accepted name does not encode to itself")
		}
	})
}
