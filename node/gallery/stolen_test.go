package gallery_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// forms are the ways in which bytes may stand in a file. The encoded ones start at
// each of three offsets, because base64 depends on it.
func forms(secret []byte) map[string][]byte {
	out := map[string][]byte{
		"raw":       secret,
		"hex":       []byte(hex.EncodeToString(secret)),
		"upper hex": bytes.ToUpper([]byte(hex.EncodeToString(secret))),
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			// Whole groups only: the ends depend on the neighbours.
			part := secret[min(shift, len(secret)):]
			part = part[:len(part)/3*3]
			if len(part) >= 6 {
				out[name+string(rune('0'+shift))] = []byte(enc.EncodeToString(part))
			}
		}
	}
	return out
}

// files are a folder's files with their content.
func files(tb testing.TB, dir string) map[string][]byte {
	tb.Helper()
	out := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[filepath.Base(path)] = b
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// secretsOf are what nobody may read who has the files, of the first persons.
func secretsOf(enrolled int) map[string][]byte {
	secrets := make(map[string][]byte)
	for i := range enrolled {
		e := person(i)
		for n, mark := range people.Person(i).Marks() {
			secrets[string(rune('a'+i))+" mark "+string(rune('0'+n))] = []byte(mark)
		}
		secrets["holder"+string(rune('a'+i))] = []byte(e.Holder)
		secrets["canonical"+string(rune('a'+i))] = e.Subject.Canonical()
		for n, tpl := range e.Templates {
			// The head of a template is its format's; what tells people apart follows.
			secrets["template"+string(rune('a'+i))+string(rune('0'+n))] = tpl.Data[30:62]
		}
	}
	return secrets
}

// TestStolenDisk searches every byte of a folder, as it lies while the gallery is
// open and after it was closed, for what was enrolled.
func TestStolenDisk(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	const enrolled = 20
	enrol(t, g, persons(0, enrolled/2)...)
	for i := enrolled / 2; i < enrolled; i++ {
		enrol(t, g, person(i))
	}
	secrets := secretsOf(enrolled)
	for _, word := range []string{"finger", "face", "record-list", person(0).Templates[0].Format, person(0).Templates[1].Format, testNode} {
		secrets[word] = []byte(word)
	}
	for _, key := range [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)} {
		secrets["key "+hex.EncodeToString(key[:1])] = key
	}
	searchFiles(t, "open", files(t, dir), secrets)
	closeGallery(t, g)
	searchFiles(t, "closed", files(t, dir), secrets)
}

func searchFiles(t *testing.T, state string, all map[string][]byte, secrets map[string][]byte) {
	t.Helper()
	total := 0
	for name, content := range all {
		total += len(content)
		// A preallocated file ends in megabytes of zeros.
		content = bytes.TrimRight(content, "\x00")
		for what, secret := range secrets {
			for form, b := range forms(secret) {
				if bytes.Contains(content, b) {
					t.Errorf("%s: %s holds %s as %s", state, name, what, form)
				}
			}
		}
	}
	if len(all) < 4 || total < 10_000 {
		t.Errorf("%s: only %d files of %d bytes were searched", state, len(all), total)
	}
}

// TestStolenDiskFinds makes sure that the search above would find something.
func TestStolenDiskFinds(t *testing.T) {
	secret := []byte("a secret of some length")
	for form, b := range forms(secret) {
		if len(b) < 6 {
			t.Errorf("%s is %q", form, b)
		}
	}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		found := false
		for _, b := range forms(secret) {
			found = found || bytes.Contains([]byte(text), b)
		}
		if !found {
			t.Errorf("not found behind %d bytes", shift)
		}
	}
}

// TestStolenKeys shows what a thief can do with the store itself: keys are
// pseudonyms, which other keys do not compute, and nothing ties records to subjects.
func TestStolenKeys(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	const enrolled = 10
	enrol(t, g, persons(0, enrolled)...)
	mine := testPseudonyms(t, 2)
	closeGallery(t, g)

	cfg := testConfig(t, dir)
	cfg.Root = testRoot(t, 9)
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("without the root key: %v, want ErrDamaged", err)
	}
	cfg = testConfig(t, dir)
	cfg.Pseudonyms = testPseudonyms(t, 9)
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("without the pseudonym key: %v, want ErrDamaged", err)
	}

	db, err := store.OpenBadger(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	families := make(map[byte]map[string]bool)
	err = db.View(func(r store.Reader) error {
		for row, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			key := row.Key
			if families[key[0]] == nil {
				families[key[0]] = make(map[string]bool)
			}
			families[key[0]][string(key[1:])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 4 || len(families['m']) != 2 || len(families['k']) != enrolled ||
		len(families['v']) != enrolled || len(families['r']) != 3*enrolled {
		t.Errorf("the store has %d key families", len(families))
	}
	for i := range enrolled {
		p, err := mine.Key(1).Pseudonym(passport(i))
		if err != nil {
			t.Fatal(err)
		}
		if !families['k'][string(p[:])] || !families['v'][string(p[:])] {
			t.Error("a subject is not under its pseudonym")
		}
		for n := range byte(20) {
			if other := testPseudonyms(t, n); n != 2 && families['k'][string(pseudonymBytes(t, other, i))] {
				t.Error("another key computes a pseudonym that is in the store")
			}
		}
	}
	for key := range families['r'] {
		if len(key) != 32 || families['k'][key] {
			t.Error("a record's key says whose it is")
		}
	}
}

func pseudonymBytes(t *testing.T, k *pseudonym.Ring, i int) []byte {
	t.Helper()
	p, err := k.Key(k.Current()).Pseudonym(passport(i))
	if err != nil {
		t.Fatal(err)
	}
	return p[:]
}
