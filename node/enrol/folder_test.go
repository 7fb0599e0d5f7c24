package enrol_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// templateFolder is a folder with the named files, each a good template.
func templateFolder(tb testing.TB, names ...string) string {
	tb.Helper()
	dir := tb.TempDir()
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), people.Person(i).FingerReference(2), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// subjects lists the identifiers of a source's records, "-" for a bad one.
func subjects(tb testing.TB, src enrol.Source) string {
	tb.Helper()
	var out []string
	for item, err := range src.Items() {
		if err != nil {
			tb.Fatal(err)
		}
		e, err := item.Parse()
		if err != nil {
			out = append(out, "-")
			continue
		}
		out = append(out, e.Subject.Value)
	}
	return strings.Join(out, " ")
}

func TestFolderNames(t *testing.T) {
	dir := templateFolder(t, "b_2.iso", "a_1.iso", "a_2.iso", "c.iso", "d_x.iso", "E_1_2.iso", "note.txt", "f.ISO", "Ж.iso")
	passports := enrol.FolderOptions{IDType: pseudonym.IDPassport}
	tests := map[string]struct {
		o    enrol.FolderOptions
		want string
	}{
		"default": {passports, "E1 A A B C DX -"},
		"glob":    {enrol.FolderOptions{IDType: pseudonym.IDPassport, Glob: "?_[12].iso"}, "A A B"},
		"all":     {enrol.FolderOptions{IDType: pseudonym.IDPassport, Glob: "*"}, "E1 A A B C DX F NOTE -"},
		"pattern": {enrol.FolderOptions{IDType: pseudonym.IDPassport, Pattern: `^(?P<subject>[a-c])_`}, "- A A B - - -"},
		"id-type": {enrol.FolderOptions{IDType: "library card"}, "- - - - - - -"},
		"no-type": {enrol.FolderOptions{}, "- - - - - - -"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			src, err := enrol.Folder(dir, "KAZ", tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := subjects(t, src); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if want := len(strings.Fields(tt.want)); src.Total != want || !src.Rewind {
				t.Errorf("total %d, rewind %v; want %d", src.Total, src.Rewind, want)
			}
		})
	}
}

func TestFolderFaults(t *testing.T) {
	dir := templateFolder(t, "a.iso")
	tests := map[string]struct {
		dir  string
		o    enrol.FolderOptions
		want string
	}{
		"absent":         {filepath.Join(dir, "absent"), enrol.FolderOptions{}, "reading folder"},
		"file":           {filepath.Join(dir, "a.iso"), enrol.FolderOptions{}, "reading folder"},
		"none":           {t.TempDir(), enrol.FolderOptions{}, "no file in it has a name that matches"},
		"pattern":        {dir, enrol.FolderOptions{Pattern: "("}, "reading pattern"},
		"no-group":       {dir, enrol.FolderOptions{Pattern: "(.*)"}, "no group"},
		"glob":           {dir, enrol.FolderOptions{Glob: "["}, "reading glob"},
		"glob-elsewhere": {filepath.Join(dir), enrol.FolderOptions{Glob: "../*/a.iso"}, "no file in it has a name that matches"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := enrol.Folder(tt.dir, "KAZ", tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestFolderMagic: what is special in a glob is not special in the folder's own name.
func TestFolderMagic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a]*?")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "n1.iso"), people.Person(0).FingerReference(2), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := enrol.Folder(dir, "KAZ", enrol.FolderOptions{IDType: pseudonym.IDPassport})
	if err != nil {
		t.Fatal(err)
	}
	if got := subjects(t, src); got != "N1" {
		t.Errorf("got %q", got)
	}
}

// TestFolderOddFiles has everything in a folder that is not a good template file:
// each is a bad record whose rule does not say the name.
func TestFolderOddFiles(t *testing.T) {
	outside := write(t, "outside.iso", string(people.Person(0).FingerReference(2)))
	dir := templateFolder(t, "CANARY0.iso", "CANARY9.iso")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "CANARY1.iso"), 0o700),
		makePipe(filepath.Join(dir, "CANARY2.iso")),
		os.Symlink(outside, filepath.Join(dir, "CANARY3.iso")),
		os.Symlink("absent", filepath.Join(dir, "CANARY4.iso")),
		os.Symlink("CANARY0.iso", filepath.Join(dir, "CANARY5.iso")),
		os.WriteFile(filepath.Join(dir, "CANARY6.iso"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "CANARY7.iso"), make([]byte, gallery.MaxRecordSize+1), 0o600),
		os.WriteFile(filepath.Join(dir, "CANARY8\xff.iso"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	src, err := enrol.Folder(dir, "KAZ", enrol.FolderOptions{IDType: pseudonym.IDPassport})
	if err != nil {
		t.Fatal(err)
	}
	outcomes, totals, err := run(t, src, &sink{}, "")
	if err != nil {
		t.Fatal(err)
	}
	// 5 is a link to a file of the folder and, as an identifier, another subject.
	if totals != (enrol.Totals{Records: 10, Created: 3, Failed: 7}) {
		t.Errorf("totals %+v", totals)
	}
	rules := []string{"", "not a regular file", "not a regular file", "outside the folder", "is not there", "", "offset 0", "larger than", "", ""}
	rules[8] = "subject" // not a letter of any identifier
	for i, o := range outcomes {
		bad := o.Change == gallery.Failed
		if o.Place != fmt.Sprintf("file %d", i+1) || bad != (rules[i] != "") || !strings.Contains(o.Rule, rules[i]) {
			t.Errorf("file %d: %+v, want rule %q", i, o, rules[i])
		}
		if strings.Contains(fmt.Sprint(o), "CANARY") {
			t.Errorf("file %d: the outcome says its name", i)
		}
	}
	// A file that goes between listing and reading is a bad record too.
	if err := os.Remove(filepath.Join(dir, "CANARY0.iso")); err != nil {
		t.Fatal(err)
	}
	if got := subjects(t, src); got != "- - - - - - - - - CANARY9" {
		t.Errorf("after removal: %q", got)
	}
}
