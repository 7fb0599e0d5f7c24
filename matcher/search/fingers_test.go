package search_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/search"
	"github.com/tamga-id/tamga/matcher/synth"
)

// fingerOf prepares capture n of a synthetic finger, 0 being the reference.
func fingerOf(t testing.TB, person, n int) *finger.Template {
	t.Helper()
	p := synth.New(3, "KGZ").Person(person)
	b := p.FingerReference(2)
	if n > 0 {
		b = p.FingerProbe(2, n)
	}
	return prepared(t, b)
}

func prepared(t testing.TB, record []byte) *finger.Template {
	t.Helper()
	samples, err := exchange.DecodeFinger(record)
	if err != nil {
		t.Fatal(err)
	}
	f, err := finger.Prepare(samples[0])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newFingers(t testing.TB, c search.Config) *search.Fingers {
	f, err := search.NewFingers(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFingersAgreeWithSorting: in a gallery so small that all are compared in full, the list is that
// of comparing all.
func TestFingersAgreeWithSorting(t *testing.T) {
	const people = 40
	index := newFingers(t, search.Config{Workers: 2})
	for i := range people {
		if err := index.Add(identity(i), uint8(i%3), fingerOf(t, i, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for position := range uint8(3) {
		for i := range 6 {
			probe := fingerOf(t, i, 1)
			var want []search.Candidate
			eligible := 0
			for k := range people {
				if at := uint8(k % 3); position != 0 && at != 0 && at != position {
					continue
				}
				eligible++
				if s := finger.Compare(probe, fingerOf(t, k, 0)); s >= 0.01 {
					want = append(want, search.Candidate{ID: identity(k), Score: s})
				}
			}
			slices.SortFunc(want, func(a, b search.Candidate) int {
				if a.Score != b.Score {
					return int(math.Copysign(1, b.Score-a.Score))
				}
				return strings.Compare(string(a.ID[:]), string(b.ID[:]))
			})
			var got search.Result
			if err := index.Search(t.Context(), position, probe, search.Options{Limit: 0.01, Most: 5}, &got); err != nil {
				t.Fatal(err)
			}
			if diff := same(want[:min(5, len(want))], got.Candidates); diff != "" || got.Compared != eligible {
				t.Fatalf("position %d, person %d, %d compared of %d: %s", position, i, got.Compared, eligible, diff)
			}
		}
	}
}

// TestFingerCascade: the cascade finds nearly everyone among synthetic people, comparing few in full,
// and the list does not depend on workers or the order of the gallery.
func TestFingerCascade(t *testing.T) {
	const people = 150
	one, two := newFingers(t, search.Config{}), newFingers(t, search.Config{Workers: 3})
	one.SetShares(0.4, 0, 0.05, 0)
	two.SetShares(0.4, 0, 0.05, 0)
	for i := range people {
		if err := errors.Join(one.Add(identity(i), 0, fingerOf(t, i, 0)), two.Add(identity(people-1-i), 0, fingerOf(t, people-1-i, 0))); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	var a, b search.Result
	const tries = 30
	for i := range tries {
		probe := fingerOf(t, i, 1)
		o := search.Options{Limit: search.Everyone, Most: 10}
		if err := errors.Join(one.Search(t.Context(), 0, probe, o, &a), two.Search(t.Context(), 0, probe, o, &b)); err != nil {
			t.Fatal(err)
		}
		if diff := same(a.Candidates, b.Candidates); diff != "" {
			t.Fatalf("person %d: %s", i, diff)
		}
		if a.Compared != people || len(a.Candidates) < 8 { // 5 % of 150, and who is level with the last
			t.Fatalf("%d compared, %d candidates", a.Compared, len(a.Candidates))
		}
		if a.Candidates[0].ID == identity(i) {
			found++
		}
	}
	if found < tries-1 {
		t.Errorf("found %d of %d", found, tries)
	}
}

func TestFingersChange(t *testing.T) {
	index := newFingers(t, search.Config{})
	empty := index.Memory()
	probe := fingerOf(t, 1, 1)
	o := search.Options{Limit: 0.01, Most: 3}
	var got search.Result
	if err := index.Search(t.Context(), 0, probe, o, &got); err != nil || got.Outcome != search.NoCandidate {
		t.Errorf("empty index: %v, %v", got.Outcome, err)
	}
	kept := fingerOf(t, 1, 0)
	if err := errors.Join(index.Add(identity(1), 2, kept), index.Add(identity(2), 2, fingerOf(t, 2, 0))); err != nil {
		t.Fatal(err)
	}
	if err := index.Search(t.Context(), 0, probe, o, &got); err != nil || got.Outcome != search.CandidatesOnly || got.Candidates[0].ID != identity(1) {
		t.Errorf("enrolled: %v, %v", got.Outcome, err)
	}
	if each := (index.Memory() - empty) / 2; each < 2000 || each > 20000 {
		t.Errorf("%d bytes a reference", each)
	}
	if n := index.Remove(identity(1)); n != 1 || index.Len() != 1 || kept.Cylinders() != nil {
		t.Errorf("removed %d, %d left, template wiped: %v", n, index.Len(), kept.Cylinders() == nil)
	}
	if err := index.Search(t.Context(), 0, probe, o, &got); err != nil || len(got.Candidates) > 0 && got.Candidates[0].ID == identity(1) {
		t.Errorf("removed: found all the same, %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := index.Search(ctx, 0, probe, o, &got); !errors.Is(err, context.Canceled) || got.Outcome != search.Incomplete {
		t.Errorf("cancelled: %v, %v", got.Outcome, err)
	}
	if err := index.Add(identity(3), 0, nil); !errors.Is(err, search.ErrUnusable) {
		t.Errorf("nil was enrolled: %v", err)
	}
	if err := index.Search(t.Context(), 0, nil, o, &got); !errors.Is(err, search.ErrUnusable) {
		t.Errorf("nil was searched: %v", err)
	}
	if err := index.Close(); err != nil || index.Memory() != 0 {
		t.Errorf("closed: %d bytes, %v", index.Memory(), err)
	}
}

// capture is one template of the benchmark.
type capture struct {
	owner, number string
	record        []byte
}

func captures(t testing.TB, extractor string) (out []capture) {
	paths, err := filepath.Glob(filepath.Join(sharedDir(t, "fingerprint"), extractor, "*.iso"))
	if err != nil || len(paths) != 320 {
		t.Fatalf("benchmark has %d templates (%v), want 320", len(paths), err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".iso")
		cut := strings.LastIndexByte(name, '_')
		out = append(out, capture{name[:cut], name[cut+1:], raw})
	}
	return out
}

// rankOne searches a gallery of impression 1 of every finger for all other impressions.
func rankOne(t *testing.T, all []capture, shares bool) (found, tried int) {
	index := newFingers(t, search.Config{})
	if shares {
		index.SetShares(0.4, 0, 0.05, 0)
	}
	number := map[string]int{}
	for _, c := range all {
		if c.number != "1" {
			continue
		}
		if _, ok := number[c.owner]; !ok {
			number[c.owner] = len(number)
		}
		if err := index.Add(identity(number[c.owner]), 0, prepared(t, c.record)); err != nil {
			t.Fatal(err)
		}
	}
	var got search.Result
	for _, c := range all {
		if c.number == "1" {
			continue
		}
		tried++
		err := index.Search(t.Context(), 0, prepared(t, c.record), search.Options{Limit: search.Everyone, Most: 1}, &got)
		if err == nil && len(got.Candidates) > 0 && got.Candidates[0].ID == identity(number[c.owner]) {
			found++
		}
	}
	return found, tried
}

// TestFingerRankOne: the 40 fingers of FVC2002 set B, for either extractor, the cascade as strict as
// on a large gallery.
func TestFingerRankOne(t *testing.T) {
	total, hits := 0, 0
	for _, extractor := range []string{"iso_secugen", "iso_fjfx"} {
		found, tried := rankOne(t, captures(t, extractor), true)
		t.Logf("%s: rank 1 %.2f %% of %d", extractor, 100*float64(found)/float64(tried), tried)
		total, hits = total+tried, hits+found
	}
	if rate := float64(hits) / float64(total); total != 560 || rate < 0.96 {
		t.Errorf("rank 1 %.4f of %d, want 0.96", rate, total)
	}
}

// TestFingerSearchDoesNotAllocate: like faces and irises, once the memory is there.
func TestFingerSearchDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector sync.Pool forgets on purpose")
	}
	for _, workers := range []int{1, 2} {
		index := newFingers(t, search.Config{Workers: workers})
		for i := range 150 {
			if err := index.Add(identity(i), uint8(i%3), fingerOf(t, i, 0)); err != nil {
				t.Fatal(err)
			}
		}
		probe, ctx := fingerOf(t, 7, 1), t.Context()
		var got search.Result
		// So many that what package finger keeps for each processor is made once and weighs nothing.
		if n := testing.AllocsPerRun(200, func() {
			if err := index.Search(ctx, 0, probe, search.Options{Limit: 0.5, Most: 10}, &got); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%d workers: %v allocations for a search", workers, n)
		}
		if len(got.Candidates) == 0 {
			t.Error("nobody found")
		}
	}
}
