package search_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/search"
)

const model = "test-model"

// identity is the handle of subject i, spread so that order of handles and of enrolment differ.
func identity(i int) search.ID {
	var id search.ID
	binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

// faceOf draws an embedding.
func faceOf(t testing.TB, r *rand.Rand, dims int) *face.Template {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	f, err := face.NewFloat(model, v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// reference is one enrolled template of the naive model.
type reference struct {
	id       search.ID
	template *face.Template
}

// cosine is the definition of the score: the cosine of the quantised vectors, with the roundings
// that the package promises.
func cosine(t testing.TB, a, b *face.Template) float64 {
	x, y := make([]int8, a.Dims()), make([]int8, b.Dims())
	if err := errors.Join(a.Quantize(x), b.Quantize(y)); err != nil {
		t.Fatal(err)
	}
	xx, yy, xy := 0, 0, 0
	for i := range x {
		xx, yy, xy = xx+int(x[i])*int(x[i]), yy+int(y[i])*int(y[i]), xy+int(x[i])*int(y[i])
	}
	return min(1, float64(float32(xy)*float32(1/math.Sqrt(float64(yy))))*(1/math.Sqrt(float64(xx))))
}

// naive searches by sorting everything.
func naive(t testing.TB, gallery []reference, probe *face.Template, o search.Options) []search.Candidate {
	best := map[search.ID]float64{}
	for _, g := range gallery {
		s := cosine(t, probe, g.template)
		if old, ok := best[g.id]; s >= o.Limit && (!ok || s > old) {
			best[g.id] = s
		}
	}
	var out []search.Candidate
	for len(best) > 0 && len(out) < o.Most {
		var top search.Candidate
		first := true
		for id, s := range best {
			if first || s > top.Score || s == top.Score && string(id[:]) < string(top.ID[:]) {
				top, first = search.Candidate{ID: id, Score: s}, false
			}
		}
		delete(best, top.ID)
		out = append(out, top)
	}
	return out
}

func newFaces(t testing.TB, dims int, c search.Config) *search.Faces {
	f, err := search.NewFaces(model, dims, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func same(a, b []search.Candidate) string {
	type plain struct {
		ID    string
		Score float64
	}
	f := func(in []search.Candidate) (out []plain) {
		for _, c := range in {
			out = append(out, plain{string(c.ID[:]), c.Score})
		}
		return out
	}
	return cmp.Diff(f(a), f(b))
}

// TestFacesAgreeWithSorting: over sizes, dimensions, workers, batches and limits the list is that of
// a loop over everything.
func TestFacesAgreeWithSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 24 {
		dims := 64 + r.IntN(100)
		n := []int{0, 1, 3, 63, 64, 65, 255, 500}[round%8]
		index := newFaces(t, dims, search.Config{Workers: 1 + r.IntN(4)})
		var gallery []reference
		for i := range n {
			g := reference{identity(i / (1 + r.IntN(2))), faceOf(t, r, dims)}
			if i > 0 && r.IntN(10) == 0 { // ties, of other subjects or of the same
				g.template = gallery[r.IntN(i)].template
			}
			gallery = append(gallery, g)
			if err := index.Add(g.id, g.template); err != nil {
				t.Fatal(err)
			}
		}
		var probes []*face.Template
		for range 1 + r.IntN(9) {
			probe := faceOf(t, r, dims)
			if n > 0 && r.IntN(2) == 0 {
				probe = gallery[r.IntN(n)].template
			}
			probes = append(probes, probe)
		}
		o := search.Options{Limit: []float64{search.Everyone, 0, 0.1, 0.2, 1}[r.IntN(5)], Most: 1 + r.IntN(20)}
		results := make([]search.Result, len(probes))
		if err := index.SearchBatch(t.Context(), probes, o, results); err != nil {
			t.Fatal(err)
		}
		for i, probe := range probes {
			want := naive(t, gallery, probe, o)
			if diff := same(want, results[i].Candidates); diff != "" {
				t.Fatalf("round %d, %d of %d dimensions, probe %d: %s", round, n, dims, i, diff)
			}
			var one search.Result
			if err := index.Search(t.Context(), probe, o, &one); err != nil {
				t.Fatal(err)
			}
			if diff := same(want, one.Candidates); diff != "" {
				t.Fatalf("alone: %s", diff)
			}
			outcome := search.CandidatesOnly
			if len(want) == 0 {
				outcome = search.NoCandidate
			}
			if one.Outcome != outcome || results[i].Outcome != outcome || one.Compared != n {
				t.Fatalf("outcome %v and %v, %d compared; want %v, %d", one.Outcome, results[i].Outcome, one.Compared, outcome, n)
			}
		}
	}
}

// TestFacesChange runs adds, removals and searches in random order beside a list.
func TestFacesChange(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	index := newFaces(t, 64, search.Config{Workers: 2})
	var gallery []reference
	peak := 0
	for step := range 800 {
		switch r.IntN(5) {
		case 0, 1:
			g := reference{identity(r.IntN(300)), faceOf(t, r, 64)}
			if err := index.Add(g.id, g.template); err != nil {
				t.Fatal(err)
			}
			gallery = append(gallery, g)
		case 2, 3:
			id, left, removed := identity(r.IntN(300)), gallery[:0:0], 0
			for _, g := range gallery {
				if g.id == id {
					removed++
				} else {
					left = append(left, g)
				}
			}
			gallery = left
			if got := index.Remove(id); got != removed {
				t.Fatalf("removed %d, want %d", got, removed)
			}
		case 4:
			o := search.Options{Limit: search.Everyone, Most: 5}
			probe := faceOf(t, r, 64)
			var got search.Result
			if err := index.Search(t.Context(), probe, o, &got); err != nil {
				t.Fatal(err)
			}
			if diff := same(naive(t, gallery, probe, o), got.Candidates); diff != "" {
				t.Fatalf("step %d: %s", step, diff)
			}
		}
		peak = max(peak, len(gallery))
		if index.Len() != len(gallery) {
			t.Fatalf("length %d, want %d", index.Len(), len(gallery))
		}
	}
	if rows := index.Memory() / (64 + 20); rows > 4*peak+128 {
		t.Errorf("room for %d rows where there were at most %d: removed rows are not used again", rows, peak)
	}
}

// TestConcurrentChanges: what was there throughout is found while others come and go.
func TestConcurrentChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	index := newFaces(t, 128, search.Config{Workers: 2})
	kept := make([]*face.Template, 50)
	for i := range kept {
		kept[i] = faceOf(t, r, 128)
		if err := index.Add(identity(i), kept[i]); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for g := range 2 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(4, uint64(g)))
			for i := range 120 {
				id := identity(1000 + 100*g + i%50)
				if err := index.Add(id, faceOf(t, r, 128)); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					index.Remove(id)
				}
			}
		})
	}
	for s := range 2 {
		group.Go(func() {
			var got search.Result
			for i := range 40 {
				n := (i*7 + s) % len(kept)
				err := index.Search(t.Context(), kept[n], search.Options{Limit: 0.9, Most: 3}, &got)
				if err != nil || got.Outcome != search.CandidatesOnly || got.Candidates[0].ID != identity(n) {
					t.Errorf("search %d: outcome %v, error %v", i, got.Outcome, err)
				}
			}
		})
	}
	group.Wait()
}

func TestInterruptedSearchIsIncomplete(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	index := newFaces(t, 64, search.Config{})
	if err := index.Add(identity(1), faceOf(t, r, 64)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := search.Options{Limit: 2, Most: 1}
	got := search.Result{Outcome: search.NoCandidate}
	if err := index.Search(ctx, faceOf(t, r, 64), o, &got); !errors.Is(err, context.Canceled) || got.Outcome != search.Incomplete {
		t.Errorf("cancelled: %v, %v", got.Outcome, err)
	}
	if err := index.Search(t.Context(), faceOf(t, r, 64), o, &got); err != nil || got.Outcome != search.NoCandidate {
		t.Errorf("whole: %v, %v", got.Outcome, err)
	}
	if err := index.Close(); err != nil {
		t.Fatal(err)
	}
	if err := index.Search(t.Context(), faceOf(t, r, 64), o, &got); !errors.Is(err, search.ErrClosed) || got.Outcome != search.Incomplete {
		t.Errorf("closed: %v, %v", got.Outcome, err)
	}
	if err := index.Add(identity(2), faceOf(t, r, 64)); !errors.Is(err, search.ErrClosed) {
		t.Errorf("adding to a closed index: %v", err)
	}
	if index.Len() != 0 || index.Memory() != 0 || index.Remove(identity(1)) != 0 {
		t.Error("a closed index still holds something")
	}
}

func TestSearchRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	index := newFaces(t, 64, search.Config{})
	other, err := face.NewFloat("other", make([]float32, 63))
	if other != nil || err == nil {
		t.Fatal("63 dimensions were accepted")
	}
	wiped := faceOf(t, r, 64)
	wiped.Wipe()
	good := search.Options{Limit: 0, Most: 1}
	var got search.Result
	for name, f := range map[string]struct {
		template *face.Template
		o        search.Options
		want     error
	}{
		"nil":   {nil, good, search.ErrUnusable},
		"wiped": {wiped, good, search.ErrUnusable},
		"dims":  {faceOf(t, r, 65), good, search.ErrUnusable},
		"none":  {faceOf(t, r, 64), search.Options{}, search.ErrOptions},
		"long":  {faceOf(t, r, 64), search.Options{Most: search.MaxCandidates + 1}, search.ErrOptions},
		"nan":   {faceOf(t, r, 64), search.Options{Most: 1, Limit: math.NaN()}, search.ErrOptions},
	} {
		if err := index.Search(t.Context(), f.template, f.o, &got); !errors.Is(err, f.want) || got.Outcome != search.Incomplete {
			t.Errorf("%s: %v, %v, want %v", name, got.Outcome, err, f.want)
		}
		if f.want == search.ErrUnusable && !errors.Is(index.Add(identity(1), f.template), search.ErrUnusable) {
			t.Errorf("%s was enrolled", name)
		}
	}
	if err := index.SearchBatch(t.Context(), nil, good, nil); !errors.Is(err, search.ErrOptions) {
		t.Errorf("no probes: %v", err)
	}
	for _, c := range []search.Config{{Workers: -1}, {Workers: search.MaxWorkers + 1}} {
		if _, err := search.NewFaces(model, 64, c); !errors.Is(err, search.ErrOptions) {
			t.Errorf("%d workers: %v", c.Workers, err)
		}
	}
	if _, err := search.NewFaces("", 64, search.Config{}); !errors.Is(err, search.ErrOptions) {
		t.Errorf("no model: %v", err)
	}
}

// TestMemoryIsOverwritten watches the allocator's memory through Remove and Close.
func TestMemoryIsOverwritten(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var given [][]byte
	released := 0
	index := newFaces(t, 64, search.Config{
		Allocate: func(n int) []byte { given = append(given, make([]byte, n)); return given[len(given)-1] },
		Release:  func([]byte) { released++ },
	})
	taken := func() (n int) {
		for _, g := range given {
			for _, b := range g {
				if b != 0 {
					n++
				}
			}
		}
		return n
	}
	for i := range 100 {
		if err := index.Add(identity(i), faceOf(t, r, 64)); err != nil {
			t.Fatal(err)
		}
	}
	full := taken()
	if n := index.Remove(identity(3)); n != 1 {
		t.Fatalf("removed %d", n)
	}
	if now := taken(); full-now < 60 || full-now > 64 {
		t.Errorf("removing one row cleared %d bytes", full-now)
	}
	if err := errors.Join(index.Close(), index.Close()); err != nil {
		t.Fatal(err)
	}
	if n := taken(); n != 0 || released != len(given) || released == 0 {
		t.Errorf("%d bytes left after Close, %d of %d segments released", n, released, len(given))
	}
	short := newFaces(t, 64, search.Config{Allocate: func(int) []byte { return nil }})
	if err := short.Add(identity(1), faceOf(t, r, 64)); !errors.Is(err, search.ErrMemory) {
		t.Errorf("without memory: %v", err)
	}
}

// TestWorkingMemoryIsOverwritten: with the probe, dot products would give references away after Close, from searches
// that ended before as well as from one that is still under way.
func TestWorkingMemoryIsOverwritten(t *testing.T) {
	for _, underWay := range []bool{false, true} {
		r := rand.New(rand.NewPCG(8, 7))
		index := newFaces(t, 64, search.Config{})
		for i := range 100 {
			if err := index.Add(identity(i), faceOf(t, r, 64)); err != nil {
				t.Fatal(err)
			}
		}
		var found search.Result
		if err := index.Search(t.Context(), faceOf(t, r, 64), search.Options{Limit: search.Everyone, Most: 5}, &found); err != nil {
			t.Fatal(err)
		}
		memory := index.Kept()
		if !slices.ContainsFunc(slices.Concat(memory...), func(v int32) bool { return v != 0 }) {
			t.Fatal("a search left nothing: this test sees nothing")
		}
		release := func() {}
		if underWay {
			var err error
			if release, err = index.Hold(); err != nil || len(index.Kept()) != 0 {
				t.Fatalf("a search under way did not take the memory kept: %v", err)
			}
		}
		if err := index.Close(); err != nil {
			t.Fatal(err)
		}
		release()
		for _, m := range memory {
			if slices.ContainsFunc(m, func(v int32) bool { return v != 0 }) {
				t.Error("dot products are left after Close")
			}
		}
		if n := len(index.Kept()); n != 0 {
			t.Errorf("memory of %d workers is kept after Close", n)
		}
	}
}

func TestSearchDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, workers := range []int{1, 3} {
		index := newFaces(t, 128, search.Config{Workers: workers})
		for i := range 2000 {
			if err := index.Add(identity(i), faceOf(t, r, 128)); err != nil {
				t.Fatal(err)
			}
		}
		probes := []*face.Template{faceOf(t, r, 128), faceOf(t, r, 128), faceOf(t, r, 128)}
		results := make([]search.Result, 3)
		o := search.Options{Limit: 0.1, Most: 10}
		ctx := t.Context()
		if n := testing.AllocsPerRun(50, func() {
			if err := index.Search(ctx, probes[0], o, &results[0]); err != nil {
				t.Error(err)
			}
			if err := index.SearchBatch(ctx, probes, o, results); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%d workers: %v allocations for two searches", workers, n)
		}
	}
}

func TestNothingPrints(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	index := newFaces(t, 64, search.Config{})
	if err := index.Add(identity(77), faceOf(t, r, 64)); err != nil {
		t.Fatal(err)
	}
	got := search.Result{Compared: 4711, Candidates: []search.Candidate{{ID: identity(77), Score: 0.4711}}}
	var log strings.Builder
	l := slog.New(slog.NewTextHandler(&log, nil))
	for _, v := range []any{got, &got, got.Candidates[0], got.Candidates[0].ID, index, got.Candidates, struct{ R search.Result }{got}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "4711") || !strings.Contains(text, "redacted") {
				t.Errorf("%T prints %.60q", v, text)
			}
		}
		l.Info("x", slog.Any("v", v))
	}
	if strings.Contains(log.String(), "4711") {
		t.Error("a score was logged")
	}
}

func TestMerge(t *testing.T) {
	a := search.Result{Outcome: search.CandidatesOnly, Compared: 3, Candidates: []search.Candidate{{ID: identity(1), Score: 0.9}, {ID: identity(2), Score: 0.5}}}
	b := search.Result{Outcome: search.CandidatesOnly, Compared: 4, Candidates: []search.Candidate{{ID: identity(2), Score: 0.7}}}
	none := search.Result{Outcome: search.NoCandidate, Compared: 5}
	var got search.Result
	search.Merge(2, &got, a, b, none)
	want := []search.Candidate{{ID: identity(1), Score: 0.9}, {ID: identity(2), Score: 0.7}}
	if diff := same(want, got.Candidates); diff != "" || got.Outcome != search.CandidatesOnly || got.Compared != 12 {
		t.Errorf("%v, %d compared: %s", got.Outcome, got.Compared, diff)
	}
	for name, parts := range map[string][]search.Result{"part": {none, {}}, "nothing": nil, "found": {a, {}}} {
		if search.Merge(2, &got, parts...); got.Outcome != search.Incomplete {
			t.Errorf("%s: %v, want incomplete", name, got.Outcome)
		}
	}
	if search.Merge(1, &got, none, none); got.Outcome != search.NoCandidate {
		t.Errorf("two whole parts without candidates: %v", got.Outcome)
	}
}

func TestLimit(t *testing.T) {
	var asked uint32
	threshold := func(oneIn uint32) (float64, error) { asked = oneIn; return 0.5, nil }
	for _, c := range []struct {
		fpir float64
		n    int
		want uint32
	}{
		{0.01, 1, 100},
		{0.01, 1000, 99_500},            // 1/(1-0.99^(1/1000)) = 99499.4...
		{0.5, 2, 4},                     // 1/(1-sqrt(0.5)) = 3.41
		{0.001, 1_000_000, 999_499_918}, // 999499917.4,
	} {
		if got, err := search.Limit(c.fpir, c.n, threshold); err != nil || got != 0.5 || asked != c.want {
			t.Errorf("FPIR %v among %d asks for an FMR of 1 in %d (%v), want %d", c.fpir, c.n, asked, err, c.want)
		}
	}
	refuses := errors.New("beyond the data")
	for _, c := range []struct {
		fpir float64
		n    int
		f    func(uint32) (float64, error)
	}{
		{0, 1, threshold}, {1, 1, threshold}, {math.NaN(), 1, threshold}, {0.1, 0, threshold}, {1e-6, 1 << 40, threshold},
		{0.1, 1, func(uint32) (float64, error) { return 0, refuses }},
		{0.1, 1, func(uint32) (float64, error) { return math.NaN(), nil }},
	} {
		if got, err := search.Limit(c.fpir, c.n, c.f); !errors.Is(err, search.ErrLimit) || !math.IsInf(got, 1) {
			t.Errorf("FPIR %v among %d: limit %v, %v", c.fpir, c.n, got, err)
		}
	}
	if _, err := search.Limit(0.1, 1, func(uint32) (float64, error) { return 0, refuses }); !errors.Is(err, refuses) {
		t.Error("the calibration's reason is lost")
	}
}
