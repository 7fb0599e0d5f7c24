package evaluation_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/evaluation"
)

func write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// record is a finger that nobody has.
func record(t testing.TB, seed uint64) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	s := finger.Sample{Width: 400, Height: 500, ResX: 197, ResY: 197}
	for range 20 {
		s.Minutiae = append(s.Minutiae, finger.Minutia{X: uint16(r.IntN(400)), Y: uint16(r.IntN(500)), Angle: uint8(r.IntN(256))})
	}
	b, err := exchange.EncodeFinger([]finger.Sample{s})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadFingers(t *testing.T) {
	dir := t.TempDir()
	good := record(t, 1)
	write(t, dir, "set_a_1_1.iso", good)
	write(t, dir, "set_a_1_2.iso", good[:20])
	write(t, dir, "set_a_1_3.iso", nil)
	write(t, dir, "set_a_1_4.iso", make([]byte, exchange.MaxFinger+1))
	write(t, dir, "manifest.tsv", []byte("x"))
	write(t, dir, "groups.tsv", []byte("subject\tsex\n"))
	if err := os.Mkdir(filepath.Join(dir, "set_a_9_9.iso"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"set_a_2_1.iso": "set_a_1_1.iso", "set_a_2_2.iso": "nowhere", "set_a_2_3.iso": os.DevNull, "set_a_2_4.iso": "set_a_2_4.iso"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	templates, folder, err := evaluation.ReadFingers(dir)
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, p := range folder.Failed {
		failed = append(failed, p.String())
	}
	want := []string{
		`"set_a_1_2.iso": checking iso-19794-2-2005: offset `,
		`"set_a_1_3.iso": checking iso-19794-2-2005: offset `,
		`"set_a_1_4.iso": is larger than 65536 bytes`,
	}
	if len(failed) != len(want) {
		t.Fatalf("failed: %q", failed)
	}
	for i := range want {
		if !strings.HasPrefix(failed[i], want[i]) {
			t.Errorf("failed: %s, want %s...", failed[i], want[i])
		}
	}
	var names []string
	for _, x := range templates {
		names = append(names, x.Name)
		if (len(x.Sample.Minutiae) == 0) != (x.Failed != "") {
			t.Errorf("%s: %d minutiae, failed %q", x.Name, len(x.Sample.Minutiae), x.Failed)
		}
		if strings.Contains(x.Failed, "offset") {
			t.Errorf("%s: reason %q is not one to count by", x.Name, x.Failed)
		}
	}
	if diff := cmp.Diff([]string{"set_a_1_1", "set_a_1_2", "set_a_1_3", "set_a_1_4", "set_a_2_1"}, names); diff != "" {
		t.Error(diff)
	}
	if folder.Ignored != 5 { // manifest, folder, broken link, device, endless link
		t.Errorf("%d ignored, want 5", folder.Ignored)
	}
}

func TestReadFingersNames(t *testing.T) {
	dir := t.TempDir()
	for i := range 30 {
		write(t, dir, fmt.Sprintf("no%02d.iso", i), record(t, 1))
	}
	write(t, dir, "set_1_1.iso", record(t, 1))
	_, _, err := evaluation.ReadFingers(dir)
	problems, ok := errors.AsType[evaluation.Problems](err)
	if !ok || len(problems) != 30 {
		t.Fatalf("%v, want 30 names", err)
	}
	if text := err.Error(); !strings.Contains(text, `"no00.iso": the name is not SET_FINGER_IMPRESSION.iso`) || !strings.HasSuffix(text, "and 10 more") {
		t.Errorf("%s", text)
	}
}

// TestReadUnreadable: a file that the system does not let us read is no failure to acquire.
func TestReadUnreadable(t *testing.T) {
	const target = "/proc/self/mem" // has nothing at offset 0, not even for root
	if info, err := os.Stat(target); err != nil || !info.Mode().IsRegular() {
		t.Skip("no file here that fails when read")
	}
	dir := t.TempDir()
	write(t, dir, "set_1_1.iso", record(t, 1))
	for _, name := range []string{"set_1_2.iso", "U1S1.TXT"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	_, _, finger := evaluation.ReadFingers(dir)
	_, _, signature := evaluation.ReadSignatures(dir)
	for name, err := range map[string]error{"set_1_2.iso": finger, "U1S1.TXT": signature} {
		problems, ok := errors.AsType[evaluation.Problems](err)
		if !ok || len(problems) != 1 || problems[0].File != name {
			t.Errorf("%s: %v, want it named", name, err)
		}
	}
}

func TestReadNothing(t *testing.T) {
	empty := t.TempDir()
	if _, _, err := evaluation.ReadFingers(empty); !errors.Is(err, evaluation.ErrNoData) {
		t.Errorf("empty folder: %v, want ErrNoData", err)
	}
	if _, _, err := evaluation.ReadFaces(empty); !errors.Is(err, evaluation.ErrNoData) {
		t.Errorf("empty folder: %v, want ErrNoData", err)
	}
	if _, _, err := evaluation.ReadFingers(filepath.Join(empty, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v, want ErrNotExist", err)
	}
}

// faces writes n rows of two dimensions with the table given.
func faces(t testing.TB, table string, bytes int) string {
	dir := t.TempDir()
	raw := make([]byte, bytes)
	for i := 0; i+4 <= bytes; i += 4 {
		binary.LittleEndian.PutUint32(raw[i:], math.Float32bits(float32(i+1)))
	}
	write(t, dir, "embeddings2.f32", raw)
	write(t, dir, "embeddings2.tsv", []byte(table))
	return dir
}

func TestReadFaces(t *testing.T) {
	want := evaluation.Faces{Subjects: []string{"a", "a", "b"}, Dims: 2, Vectors: []float32{1, 5, 9, 13, 17, 21}}
	for name, table := range map[string]string{
		"lf": "row\tsubject\tsample\n0\ta\t1\n1\ta\t2\n2\tb\t1\n", "crlf": "row\tsubject\tsample\r\n0\ta\t1\r\n1\ta\t2\r\n2\tb\t1\r\n",
		"no-end": "row\tsubject\tsample\n0\ta\t1\n1\ta\t2\n2\tb\t1", "byte-order-mark": "\ufeffrow\tsubject\tsample\n0\ta\t1\n1\ta\t2\n2\tb\t1\n",
	} {
		got, folder, err := evaluation.ReadFaces(faces(t, table, 24))
		if err != nil || folder.Ignored != 0 {
			t.Errorf("%s: %v, %d ignored", name, err, folder.Ignored)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// TestReadIrises: with masks of ones as with others; without masks the rule says what to write.
func TestReadIrises(t *testing.T) {
	code, ones := bytes.Repeat([]byte{0x5a}, 256), bytes.Repeat([]byte{0xff}, 256)
	const table = "row\teye\tsample\n0\t1 left\t1\n1\t1 left\t2\n"
	dir := t.TempDir()
	write(t, dir, "codes2048.bin", slices.Concat(code, ones, code, ones))
	write(t, dir, "codes2048.tsv", []byte(table))
	got, folder, err := evaluation.ReadIrises(dir)
	if err != nil || folder.Ignored != 0 || len(got.Samples) != 2 || !bytes.Equal(got.Samples[1].Mask[:], ones) || got.Eyes[1] != "1 left" {
		t.Errorf("%d irises, %d ignored: %v", len(got.Samples), folder.Ignored, err)
	}
	write(t, dir, "codes2048.bin", slices.Concat(code, code))
	if _, _, err := evaluation.ReadIrises(dir); err == nil || !strings.Contains(err.Error(), "256 octets of ones") {
		t.Errorf("without masks: %v", err)
	}
	write(t, dir, "codes2048.bin", nil)
	write(t, dir, "codes2048.tsv", []byte(table[:len("row\teye\tsample\n")]))
	if got, _, err := evaluation.ReadIrises(dir); err != nil || len(got.Samples) != 0 {
		t.Errorf("of no rows: %d irises, %v", len(got.Samples), err)
	}
}

// TestReadFacesRefuses: every fault is named with file, line and rule, and
// never with what the line holds.
func TestReadFacesRefuses(t *testing.T) {
	const header = "row\tsubject\tsample\n"
	for name, c := range map[string]struct {
		table string
		bytes int
		want  string
	}{
		"empty":        {"", 8, `"embeddings2.tsv": line 1: the columns are not row, subject, sample`},
		"header":       {"subject\trow\tsample\n0\tsecret\t1\n", 8, `line 1: the columns are not row, subject, sample`},
		"columns":      {header + "0\tsecret\n", 8, `line 2: 2 columns, the first line has 3`},
		"more-columns": {header + "0\tsecret\t1\t2\n", 8, `line 2: 4 columns, the first line has 3`},
		"order":        {header + "1\tsecret\t1\n", 8, `line 2: row is not 0`},
		"repeated":     {header + "0\tsecret\t1\n0\tsecret\t2\n", 16, `line 3: row is not 1`},
		"blank-line":   {header + "0\tsecret\t1\n\n1\tsecret\t2\n", 16, `line 3: 1 columns`},
		"blank-cell":   {header + "0\t\t1\n", 8, `line 2: column 2 is not 1 to 100 bytes of printable text`},
		"control":      {header + "0\tsec\x1bret\t1\n", 8, `line 2: column 2 is not`},
		"not-text":     {header + "0\tsec\xffret\t1\n", 8, `line 2: column 2 is not`},
		"long":         {header + "0\t" + strings.Repeat("secret", 20) + "\t1\n", 8, `line 2: column 2 is not`},
		"short-matrix": {header + "0\tsecret\t1\n", 7, `"embeddings2.f32": 7 bytes are not the 1 rows of 2 float32`},
		"long-matrix":  {header + "0\tsecret\t1\n", 16, `"embeddings2.f32": 16 bytes are not`},
	} {
		_, _, err := evaluation.ReadFaces(faces(t, c.table, c.bytes))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	dir := faces(t, header+"0\tsecret\t1\n", 8)
	write(t, dir, "embeddings3.f32", nil)
	if _, _, err := evaluation.ReadFaces(dir); err == nil || !strings.Contains(err.Error(), "second matrix") {
		t.Errorf("two matrices: %v", err)
	}
	dir = t.TempDir()
	write(t, dir, "embeddings128.f32", nil)
	if _, _, err := evaluation.ReadFaces(dir); err == nil || !strings.Contains(err.Error(), `"embeddings128.tsv": no such file`) {
		t.Errorf("no table: %v", err)
	}
	dir = t.TempDir()
	write(t, dir, "faces.f32", nil)
	if _, _, err := evaluation.ReadFaces(dir); err == nil || !strings.Contains(err.Error(), "not embeddingsN.f32") {
		t.Errorf("name without dimensions: %v", err)
	}
}

func TestReadGroups(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.tsv")
	if got, err := evaluation.ReadGroups(path, false); got != nil || err != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
	if _, err := evaluation.ReadGroups(path, true); err == nil {
		t.Error("a file that was named and is not there is no error")
	}
	write(t, dir, "groups.tsv", []byte("subject\tsex\tdecade\r\ns1\tF\t1990\r\ns2\t-\t1980\r\n"))
	got, err := evaluation.ReadGroups(path, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []evaluate.Grouping{
		{Attribute: "sex", Of: map[string]string{"s1": "F"}},
		{Attribute: "decade", Of: map[string]string{"s1": "1990", "s2": "1980"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	many := "subject\tvillage\n"
	for i := range 65 {
		many += fmt.Sprintf("s%d\tsecret%d\n", i, i)
	}
	for name, c := range map[string]struct{ table, want string }{
		"empty":      {"", "line 1"},
		"no-subject": {"person\tsex\n", "line 1: the columns are not subject and 1 to 16 attributes"},
		"only":       {"subject\n", "line 1: the columns are not"},
		"wide":       {"subject" + strings.Repeat("\ta", 17) + "\n", "line 1: the columns are not"},
		"same-name":  {"subject\tsex\tsex\n", "line 1: column 3 has the name of another"},
		"twice":      {"subject\tsex\nsecret\tF\nsecret\tM\n", "line 3: the subject stands on an earlier line"},
		"many":       {many, "line 66: column 2 has more than 64 groups"},
	} {
		write(t, dir, "groups.tsv", []byte(c.table))
		if _, err := evaluation.ReadGroups(path, true); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func FuzzReadGroups(f *testing.F) {
	for _, seed := range []string{"subject\tsex\ns1\tF\n", "subject\tsex\r\ns1\t-\r\n", "", "\ufeffsubject\ta\tb\nx\ty\tz", "subject\tsubject\n", "\t\n\n"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, table []byte) {
		write(t, dir, "groups.tsv", table)
		got, err := evaluation.ReadGroups(filepath.Join(dir, "groups.tsv"), true)
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%d attributes, %v", len(got), err)
		}
		for _, g := range got {
			for subject, group := range g.Of {
				if subject == "" || group == "" || group == "-" {
					t.Fatalf("subject %q in %q", subject, group)
				}
			}
		}
	})
}
