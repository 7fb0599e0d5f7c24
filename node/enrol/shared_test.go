package enrol_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// sharedDir is a folder of test data outside the repository.
func sharedDir(t *testing.T, below string) string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, below)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("test data missing: %v", err)
		}
		t.Skipf("test data missing: %v", err)
	}
	return dir
}

// TestImportShared imports folders of templates that real extractors made, into a
// real gallery, twice, and compares what is held with the files.
func TestImportShared(t *testing.T) {
	for _, set := range []string{"iso_secugen", "iso_fjfx"} {
		t.Run(set, func(t *testing.T) {
			dir := sharedDir(t, filepath.Join("data", "fingerprint", set))
			g := newGallery(t)
			src, err := enrol.Folder(dir, "KAZ", enrol.FolderOptions{IDType: pseudonym.IDNationalNumber})
			if err != nil {
				t.Fatal(err)
			}
			want := expectFolder(t, dir)
			outcomes, totals, err := run(t, src, g, "")
			if err != nil || totals != want || totals.Records != src.Total {
				t.Errorf("%+v, %v; want %+v", totals, err, want)
			}
			for _, o := range outcomes {
				if o.Change == gallery.Failed {
					t.Logf("%+v", o)
				}
			}
			if g.Subjects() != int64(want.Created) {
				t.Errorf("%d subjects, want %d", g.Subjects(), want.Created)
			}
			expectHeld(t, g, src)
			_, again, err := run(t, src, g, "")
			if err != nil || again != (enrol.Totals{Records: want.Records, Unchanged: want.Records - want.Failed, Failed: want.Failed}) {
				t.Errorf("again: %+v, %v", again, err)
			}
			t.Logf("%+v", totals)
		})
	}
}

func newGallery(t testing.TB) *gallery.Gallery {
	t.Helper()
	return galleryIn(t, t.TempDir())
}

func galleryIn(t testing.TB, dir string) *gallery.Gallery {
	t.Helper()
	root, err := custody.NewRoot(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := envelope.NewRing(map[uint32][]byte{1: bytes.Repeat([]byte{3}, 32)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.Single(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gallery.Open(gallery.Config{Dir: dir, Node: "https://kaz.example", Root: root, Ring: ring, Pseudonyms: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// expectFolder counts by hand what a folder comes to.
func expectFolder(t *testing.T, dir string) (want enrol.Totals) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.iso"))
	if err != nil || len(names) < 100 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	seen := make(map[string]map[string]bool)
	for _, name := range names {
		want.Records++
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := exchange.DecodeFinger(b)
		usable := err == nil
		for _, s := range samples {
			if _, err := finger.Prepare(s); err != nil {
				usable = false
			}
		}
		if !usable {
			want.Failed++
			continue
		}
		subject := strings.TrimSuffix(filepath.Base(name), ".iso")
		subject = subject[:strings.LastIndexByte(subject, '_')]
		switch {
		case seen[subject] == nil:
			want.Created++
			seen[subject] = make(map[string]bool)
		case seen[subject][string(b)]:
			want.Unchanged++
		default:
			want.Updated++
		}
		seen[subject][string(b)] = true
	}
	return want
}

// expectHeld looks every record of a source up.
func expectHeld(t *testing.T, g *gallery.Gallery, src enrol.Source) {
	t.Helper()
	for item, err := range src.Items() {
		if err != nil {
			t.Fatal(err)
		}
		e, err := item.Parse()
		if err != nil {
			continue
		}
		refs, err := g.References(e.Subject, "finger")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		err = refs.Each(func(held gallery.Template) error {
			found = found || bytes.Equal(held.Data, e.Templates[0].Data) && held.Position == e.Templates[0].Position
			return nil
		})
		refs.Close()
		if err != nil || !found {
			t.Errorf("%s: not held, %v", item.Place, err)
		}
	}
}
