package search_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/internal/scan"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/search"
)

// eye is a code and its mask.
type eye struct{ code, mask []byte }

func (x eye) sample() *iris.Sample {
	return &iris.Sample{Code: [256]byte(x.code), Mask: [256]byte(x.mask)}
}

// irisOf draws a code with no mask, a light one, or so heavy a one that some pairs share too little.
func irisOf(r *rand.Rand, masked int) eye {
	x := eye{make([]byte, 256), make([]byte, 256)}
	for i := range 256 {
		x.code[i], x.mask[i] = byte(r.IntN(256)), 0xff
		for range masked {
			x.mask[i] &= byte(r.IntN(256))
		}
	}
	return x
}

// again is another capture: turned, with some bits flipped.
func (x eye) again(r *rand.Rand, steps, flips int) eye {
	turn := func(b []byte) []byte {
		k := (2*steps + 256) % 256
		return slices.Concat(b[k:], b[:k])
	}
	y := eye{turn(x.code), turn(x.mask)}
	for range flips {
		y.code[r.IntN(256)] ^= 1 << r.IntN(8)
	}
	return y
}

// irisScore is the definition, bit by bit.
func irisScore(p, g eye) float64 {
	top := math.Inf(-1)
	for turn := -8; turn <= 8; turn++ {
		differing, usable := 0, 0
		for b := range 2048 {
			from := (b + 16*turn + 2048) % 2048
			at := func(v []byte, i int) byte { return v[i/8] >> (7 - i%8) & 1 }
			if at(p.mask, from)&at(g.mask, b) == 0 {
				continue
			}
			usable++
			differing += int(at(p.code, from) ^ at(g.code, b))
		}
		top = max(top, search.IrisScore(differing, usable))
	}
	return top
}

func TestIrisesAgreeWithSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	for round := range 12 {
		index, err := search.NewIrises(search.Config{Workers: 1 + r.IntN(3)})
		if err != nil {
			t.Fatal(err)
		}
		var gallery []eye
		for i := range []int{1, 20, 70}[round%3] {
			g := irisOf(r, []int{0, 0, 1, r.IntN(2)}[round%4]) // two masks at random share about 512 bits
			gallery = append(gallery, g)
			if err := index.Add(identity(i), g.sample()); err != nil {
				t.Fatal(err)
			}
		}
		index.Remove(identity(0))
		for range 3 {
			n := r.IntN(len(gallery))
			probe := gallery[n].again(r, r.IntN(17)-8, 100)
			o := search.Options{Limit: []float64{search.Everyone, 0.6, 0.9}[r.IntN(3)], Most: 1 + r.IntN(8)}
			var want []search.Candidate
			for i, g := range gallery[1:] {
				if s := irisScore(probe, g); s >= o.Limit && !math.IsInf(s, -1) {
					want = append(want, search.Candidate{ID: identity(i + 1), Score: s})
				}
			}
			slices.SortFunc(want, func(a, b search.Candidate) int {
				if a.Score != b.Score {
					return int(math.Copysign(1, b.Score-a.Score))
				}
				return strings.Compare(string(a.ID[:]), string(b.ID[:]))
			})
			var got search.Result
			if err := index.Search(t.Context(), probe.sample(), o, &got); err != nil {
				t.Fatal(err)
			}
			if diff := same(want[:min(len(want), o.Most)], got.Candidates); diff != "" {
				t.Fatalf("round %d: %s", round, diff)
			}
		}
	}
}

// TestIrisIndexForgetsMasks: when the last masked row has gone, the index is as fast as before, and as right.
func TestIrisIndexForgetsMasks(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	index, err := search.NewIrises(search.Config{})
	if err != nil {
		t.Fatal(err)
	}
	full, masked := irisOf(r, 0), irisOf(r, 1)
	if err := errors.Join(index.Add(identity(1), full.sample()), index.Add(identity(2), masked.sample())); err != nil {
		t.Fatal(err)
	}
	probe := full.again(r, 3, 50)
	o := search.Options{Limit: 0.75, Most: 2}
	var before, after search.Result
	if err := index.Search(t.Context(), probe.sample(), o, &before); err != nil {
		t.Fatal(err)
	}
	index.Remove(identity(2))
	if err := index.Search(t.Context(), probe.sample(), o, &after); err != nil {
		t.Fatal(err)
	}
	if diff := same(before.Candidates, after.Candidates); diff != "" || len(after.Candidates) != 1 {
		t.Errorf("with and without a masked row beside it: %s", diff)
	}
}

func TestIrisesRefuse(t *testing.T) {
	index, err := search.NewIrises(search.Config{})
	if err != nil {
		t.Fatal(err)
	}
	good := irisOf(rand.New(rand.NewPCG(13, 13)), 0)
	for name, x := range map[string]*iris.Sample{"nil": nil, "masked": eye{good.code, make([]byte, 256)}.sample()} {
		var got search.Result
		if err := index.Add(identity(1), x); !errors.Is(err, search.ErrUnusable) {
			t.Errorf("%s: added, %v", name, err)
		}
		if err := index.Search(t.Context(), x, search.Options{Most: 1}, &got); !errors.Is(err, search.ErrUnusable) || got.Outcome != search.Incomplete {
			t.Errorf("%s: searched, %v", name, err)
		}
	}
}

func TestIrisSearchDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 14))
	index, err := search.NewIrises(search.Config{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		x := irisOf(r, i%2)
		if err := index.Add(identity(i), x.sample()); err != nil {
			t.Fatal(err)
		}
	}
	probe, ctx := irisOf(r, 0), t.Context()
	var got search.Result
	if n := testing.AllocsPerRun(20, func() {
		if err := index.Search(ctx, probe.sample(), search.Options{Limit: 0.5, Most: 10}, &got); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a search", n)
	}
}

// TestIrisBenchmark: on the real codes, searched leave-one-out, the nearest other code is of the same eye
// about as often as a plain masked Hamming distance has it.
func TestIrisBenchmark(t *testing.T) {
	dir := sharedDir(t, "iris")
	raw, err := os.ReadFile(filepath.Join(dir, "codes2048.bin"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join(dir, "codes2048.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	if len(lines)*512 != len(raw) || len(lines) < 300 {
		t.Fatalf("%d rows and %d bytes", len(lines), len(raw))
	}
	index, err := search.NewIrises(search.Config{})
	if err != nil {
		t.Fatal(err)
	}
	subject := make([]string, len(lines))
	for i, line := range lines {
		subject[i] = strings.Split(line, "\t")[1]
		if err := index.Add(identity(i), eye{raw[i*512:][:256], raw[i*512+256:][:256]}.sample()); err != nil && !errors.Is(err, search.ErrUnusable) {
			t.Fatal(err)
		}
	}
	hits, tried := 0, 0
	var got search.Result
	for i := range lines {
		if err := index.Search(t.Context(), eye{raw[i*512:][:256], raw[i*512+256:][:256]}.sample(), search.Options{Limit: search.Everyone, Most: 2}, &got); err != nil {
			continue
		}
		if got.Candidates[0].ID != identity(i) {
			t.Fatalf("row %d is not its own nearest", i)
		}
		tried++
		for j := range lines {
			if got.Candidates[1].ID == identity(j) && subject[i] == subject[j] {
				hits++
			}
		}
	}
	rate := float64(hits) / float64(tried)
	t.Logf("rank 1, leave one out: %.2f %% of %d", 100*rate, tried)
	if tried < len(lines)-5 || rate < 0.97 {
		t.Errorf("rank 1 %.4f of %d", rate, tried)
	}
}

func sharedDir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s benchmark is missing: %v", name, err)
		}
		t.Skipf("%s benchmark is not at hand: %v", name, err)
	}
	return dir
}

func TestIrisWorkingMemoryIsOverwritten(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	index, err := search.NewIrises(search.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if err := index.Add(identity(i), irisOf(r, 0).sample()); err != nil {
			t.Fatal(err)
		}
	}
	for masked := range 2 { // two loops with memory of their own
		var found search.Result
		if err := index.Search(t.Context(), irisOf(r, masked).sample(), search.Options{Limit: search.Everyone, Most: 5}, &found); err != nil {
			t.Fatal(err)
		}
	}
	least, counts := index.Kept()
	dirty := func() (ofLeast, ofCounts bool) {
		return slices.ContainsFunc(slices.Concat(least...), func(v uint16) bool { return v != 0 }),
			slices.ContainsFunc(slices.Concat(counts...), func(v scan.Rotations) bool { return v != scan.Rotations{} })
	}
	if a, b := dirty(); !a || !b {
		t.Fatal("searches left nothing: this test sees nothing")
	}
	if err := index.Close(); err != nil {
		t.Fatal(err)
	}
	if a, b := dirty(); a || b {
		t.Error("counts of differing bits are left after Close")
	}
	if least, counts := index.Kept(); len(least)+len(counts) != 0 {
		t.Error("memory is kept after Close")
	}
}
