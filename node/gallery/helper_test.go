package gallery_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/gallery"
)

const testNode = "https://kaz.example"

// testConfig is the configuration that every test starts from.
func testConfig(tb testing.TB, dir string) gallery.Config {
	tb.Helper()
	return gallery.Config{Dir: dir, Node: testNode, Root: testRoot(tb, 1), Ring: testRing(tb, 3), Pseudonyms: testPseudonyms(tb, 2)}
}

func testRoot(tb testing.TB, n byte) custody.Root {
	tb.Helper()
	root, err := custody.NewRoot(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

func testRing(tb testing.TB, n byte) *envelope.Ring {
	tb.Helper()
	ring, err := envelope.NewRing(map[uint32][]byte{1: bytes.Repeat([]byte{n}, 32)}, 1)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func testPseudonyms(tb testing.TB, n byte) *pseudonym.Ring {
	tb.Helper()
	k, err := pseudonym.Single(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func newDir(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "gallery")
}

func openGallery(tb testing.TB, dir string) *gallery.Gallery {
	tb.Helper()
	g, err := gallery.Open(testConfig(tb, dir))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := g.Close(); err != nil && !errors.Is(err, gallery.ErrClosed) {
			tb.Error(err)
		}
	})
	return g
}

func closeGallery(tb testing.TB, g *gallery.Gallery) {
	tb.Helper()
	if err := g.Close(); err != nil {
		tb.Fatal(err)
	}
}

var people = synth.New(1, "KAZ")

func passport(i int) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: people.Person(i).PassportNumber}
}

// person is a synthetic person's enrolment: a face, slot 0, and two fingers, slots 1 and 2.
func person(i int) gallery.Enrolment {
	p := people.Person(i)
	return gallery.Enrolment{
		Subject: passport(i),
		Holder:  fmt.Sprintf("holder-of-%s", p.NationalNumber),
		Templates: []gallery.Template{
			{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()},
			{Modality: "finger", Format: exchange.FormatFinger2005, Position: 2, Data: p.FingerReference(2)},
			{Modality: "finger", Format: exchange.FormatFinger2005, Position: 7, Data: p.FingerReference(7)},
		},
	}
}

func persons(from, to int) []gallery.Enrolment {
	var es []gallery.Enrolment
	for i := from; i < to; i++ {
		es = append(es, person(i))
	}
	return es
}

// small is an enrolment of one record that follows from the value, cheap to make.
func small(value string) gallery.Enrolment {
	data := sha256.Sum256([]byte(value))
	return gallery.Enrolment{
		Subject:   pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDNationalNumber, Value: value},
		Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: data[:]}},
	}
}

// enrol enrols a batch of which nothing may fail.
func enrol(tb testing.TB, g *gallery.Gallery, batch ...gallery.Enrolment) []gallery.Result {
	tb.Helper()
	results, err := g.Enrol(tb.Context(), batch)
	if err != nil {
		tb.Fatal(err)
	}
	if len(results) != len(batch) {
		tb.Fatalf("%d results for %d enrolments", len(results), len(batch))
	}
	for i, r := range results {
		if r.Err != nil || r.Change == gallery.Failed {
			tb.Fatalf("enrolment %d: %s, %v", i, r.Change, r.Err)
		}
	}
	return results
}

// held is what the gallery has of a subject in one modality.
type held struct {
	known     bool
	holder    string
	templates []gallery.Template
}

// look reads everything of a subject in one modality. What was visited before an
// error is returned with it.
func look(g *gallery.Gallery, id pseudonym.Identifier, modality string) (held, error) {
	refs, err := g.References(id, modality)
	if err != nil {
		return held{}, err
	}
	defer refs.Close()
	h := held{known: refs.Known, holder: refs.Holder}
	err = refs.Each(func(t gallery.Template) error {
		t.Data = bytes.Clone(t.Data)
		h.templates = append(h.templates, t)
		return nil
	})
	if err == nil && len(h.templates) != refs.Len() {
		err = fmt.Errorf("%d templates visited, Len is %d", len(h.templates), refs.Len())
	}
	return h, err
}

// sameTemplates compares got with those of want that have the modality.
func sameTemplates(got []gallery.Template, modality string, want []gallery.Template) bool {
	i := 0
	for _, w := range want {
		if w.Modality != modality {
			continue
		}
		if i == len(got) || !sameTemplate(got[i], w) {
			return false
		}
		i++
	}
	return i == len(got)
}

func sameTemplate(a, b gallery.Template) bool {
	return a.Modality == b.Modality && a.Format == b.Format && a.Position == b.Position && bytes.Equal(a.Data, b.Data)
}

// check fails unless the gallery holds exactly e of its subject.
func check(tb testing.TB, g *gallery.Gallery, e gallery.Enrolment) {
	tb.Helper()
	for _, modality := range []string{"face", "finger"} {
		h, err := look(g, e.Subject, modality)
		if err != nil {
			tb.Fatalf("looking up %s: %v", modality, err)
		}
		if !h.known || h.holder != e.Holder || !sameTemplates(h.templates, modality, e.Templates) {
			tb.Fatalf("%s: known %v, %d templates, or another holder or other bytes", modality, h.known, len(h.templates))
		}
	}
}
