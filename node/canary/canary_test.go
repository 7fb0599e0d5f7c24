// Invariant 1 of DESIGN.md: no image, template, score, document number or name leaves
// in an answer, log, metric, trace, error, ledger leaf or file in clear.
//
// Synthetic people with known marks are played through every flow of a sandbox
// federation; then everything that came out, and every byte of every folder, is
// searched for every mark in every encoding that printing, logging or storing it
// carelessly would give. Tests that find nothing prove nothing by themselves, so the
// searcher is shown to find planted marks, and each surface to be connected.
//
// There are no metrics and traces yet. When there are, they are one more surface
// here: scrape and export, then add what came to the capture.
package canary_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/matcher/synth"
)

// TestNoMarkLeaves is the canary test.
func TestNoMarkLeaves(t *testing.T) {
	begin := time.Now()
	lap := func(what string) { t.Logf("%5.1f s  %s", time.Since(begin).Seconds(), what) }
	c := newCapture()
	restore := divert(t, c)
	s := raise(t, c)
	s.plant()
	s.importOffline()
	s.kaz, s.kgz = s.open("KAZ"), s.open("KGZ")
	s.startUZB()
	s.introduce()
	lap("three nodes up")
	s.enrolments()
	s.importCutOff()
	s.verifications()
	s.hostileReplies()
	lap("verifications")
	s.insider()
	lap("queries by hand")
	s.malformedHTTP()
	lap("malformed HTTP")
	s.commands()
	s.down()
	lap("commands")
	r := &report{t: t}
	r.files("nodes running", s.folders(newSearcher(s.cast.all())))
	s.close()
	s.afterwards()
	restore()
	lap("all down")

	find := newSearcher(s.cast.all())
	r.files("nodes down", s.folders(find))
	lap("files searched")
	r.outputs(find, c.all())
	lap("outputs searched")
	r.print()
	r.planted()
	demandVolume(t, c)
	t.Logf("%d marks, %d needles", len(find.marks), len(find.needles))
}

// demandVolume fails when a surface was silent: what is not connected cannot leak.
func demandVolume(t *testing.T, c *capture) {
	count, size := c.volume()
	least := map[string]int{onLog: 200, onStderr: 1, onProcess: 60, onHTTP: 300, onError: 60, onResult: 20, onFrame: 80,
		onAnswer: 10, onLeaf: 80, onNote: 3, onFile: 60}
	for _, surface := range surfaces() {
		t.Logf("%-26s %6d pieces %12d bytes", surface, count[surface], size[surface])
		if count[surface] < least[surface] || size[surface] == 0 {
			t.Errorf("%d pieces of %q, want at least %d: flows are missing or the surface is not connected", count[surface], surface, least[surface])
		}
	}
}

// control is somebody whose marks are planted on purpose, in outputs whose name
// begins with the same word, to show that each surface is looked at.
const control = "control"

func controlPerson() synth.Person { return population("KAZ").Person(999_999) }

// report gathers what was found.
type report struct {
	t     *testing.T
	found []string
	plant map[string]bool // surfaces on which the control was found
}

func (r *report) add(surface, where string, h hit) {
	if h.mark.who == name(controlPerson()) && strings.HasPrefix(where, control) {
		if r.plant == nil {
			r.plant = make(map[string]bool)
		}
		r.plant[surface] = true
		return
	}
	line := fmt.Sprintf("%s: %s at byte %d: %s, %s%s", surface, where, h.offset, h.mark, h.needle.encoding, h.layer)
	if !slices.Contains(r.found, line) {
		r.found = append(r.found, line)
	}
}

func (r *report) files(when string, hits map[string][]hit) {
	for file, list := range hits {
		for _, h := range list {
			r.add(onFile, file+" ("+when+")", h)
		}
	}
}

func (r *report) outputs(find *searcher, pieces []piece) {
	for i, p := range pieces {
		least := 6
		if p.surface == onLeaf {
			least = 4 // a float32: leaves have little in them that is random
		}
		for _, h := range find.deep(p.data, least) {
			r.add(p.surface, fmt.Sprintf("%s, piece %d", p.name, i), h)
		}
	}
}

func (r *report) print() {
	slices.Sort(r.found)
	for i, line := range r.found {
		if i == 40 {
			r.t.Errorf("and %d more", len(r.found)-i)
			break
		}
		r.t.Error(line)
	}
}

// planted fails when the control was not found where it was planted.
func (r *report) planted() {
	for _, surface := range []string{onLog, onStderr, onProcess, onHTTP, onError, onResult, onFrame, onFile} {
		if !r.plant[surface] {
			r.t.Errorf("the control planted on %q was not found: nothing would be", surface)
		}
	}
}

// folders searches every file of the sandbox.
func (s *stage) folders(find *searcher) map[string][]hit {
	out := make(map[string][]hit)
	err := filepath.WalkDir(s.fed.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(s.fed.Dir(), path)
		if err != nil {
			return err
		}
		hits, size, err := find.file(path)
		s.out.tally(onFile, size)
		if len(hits) > 0 {
			out[name] = hits
		}
		return err
	})
	s.must(err)
	return out
}
