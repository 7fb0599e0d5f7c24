package resemblance_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/resemblance"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// captures are records of one format, by whose face, finger, eye or hand they are.
type captures struct {
	format string
	of     map[string][][]byte
}

// again reports whether one of the marks of a record is like one of another's.
func again(a, b []resemblance.Mark) bool {
	return slices.ContainsFunc(a, func(x resemblance.Mark) bool {
		return slices.ContainsFunc(b, func(y resemblance.Mark) bool { return resemblance.Alike(x, y) })
	})
}

var marker = resemblance.New([32]byte{7})

// refused is of how many second captures of the same it is said that they are the first again,
// and of how many pairs.
func (c captures) refused() (n, pairs int) {
	for _, records := range c.of {
		marks := make([][]resemblance.Mark, len(records))
		for i, r := range records {
			marks[i] = marker.Marks(c.format, r)
			for _, earlier := range marks[:i] {
				pairs++
				if again(marks[i], earlier) {
					n++
				}
			}
		}
	}
	return n, pairs
}

// told is of how many records it is said that they are the first again after change, and of how many.
func (c captures) told(change func(*rand.Rand, []byte) []byte) (n, all int) {
	r := rand.New(rand.NewPCG(1, 2))
	names := make([]string, 0, len(c.of))
	for name := range c.of {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), 300)] {
		all++
		record := c.of[name][0]
		if again(marker.Marks(c.format, record), marker.Marks(c.format, change(r, record))) {
			n++
		}
	}
	return n, all
}

// Noise on every number of a face, so that the cosine with what it was is about as given.
func noisyFace(cosine float64) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, record []byte) []byte {
		e := must(exchange.ParseEmbedding(record))
		length := 0.0
		for _, x := range e.Values {
			length += float64(x) * float64(x)
		}
		sd := math.Sqrt(length/float64(len(e.Values))) * math.Sqrt(1/(cosine*cosine)-1)
		for i := range e.Values {
			e.Values[i] += float32(sd * r.NormFloat64())
		}
		return must(e.Encode())
	}
}

// Noise on every minutia of up to so many pixels and 256ths of a turn.
func noisyFinger(most, angle int) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, record []byte) []byte {
		f := must(exchange.ParseFinger(record))
		for _, v := range f.Views {
			for i := range v.Minutiae {
				m := &v.Minutiae[i]
				m.X = uint16(min(max(int(m.X)+r.IntN(2*most+1)-most, 0), int(f.Width)-1))
				m.Y = uint16(min(max(int(m.Y)+r.IntN(2*most+1)-most, 0), int(f.Height)-1))
				m.Angle += uint8(r.IntN(2*angle+1) - angle)
			}
		}
		return must(f.Encode())
	}
}

// So many minutiae that are elsewhere.
func movedFinger(many int) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, record []byte) []byte {
		f := must(exchange.ParseFinger(record))
		for range many {
			m := &f.Views[0].Minutiae[r.IntN(len(f.Views[0].Minutiae))]
			m.X, m.Y = uint16(r.IntN(int(f.Width))), uint16(r.IntN(int(f.Height)))
		}
		return must(f.Encode())
	}
}

// All minutiae moved as one.
func shiftedFinger(by int) func(*rand.Rand, []byte) []byte {
	return func(_ *rand.Rand, record []byte) []byte {
		f := must(exchange.ParseFinger(record))
		f.Width, f.Height = f.Width+uint16(by), f.Height+uint16(by)
		for i := range f.Views[0].Minutiae {
			f.Views[0].Minutiae[i].X += uint16(by)
			f.Views[0].Minutiae[i].Y += uint16(by)
		}
		return must(f.Encode())
	}
}

// So many of a thousand bits of an iris the other way.
func noisyIris(thousandths int) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, record []byte) []byte {
		c := must(iriscode.Decode(record))
		for i := range 8 * iris.Size {
			if r.IntN(1000) < thousandths {
				c.Sample.Code[i/8] ^= 1 << (i % 8)
			}
		}
		return must(c.Encode())
	}
}

// Noise on every point of a signature, in thousandths of its width.
func noisySignature(thousandths float64) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, record []byte) []byte {
		s := must(signature2007.Decode(record))
		least, most := math.Inf(1), math.Inf(-1)
		for _, p := range s.Points {
			least, most = min(least, p.X), max(most, p.X)
		}
		for i := range s.Points {
			p := &s.Points[i]
			p.X, p.Y = p.X+(most-least)*thousandths/1000*r.NormFloat64(), p.Y+(most-least)*thousandths/1000*r.NormFloat64()
		}
		return must(signature2007.Encode(s))
	}
}

func invented(people, each int) map[string]captures {
	out := map[string]captures{
		"face": {exchange.FormatEmbedding, map[string][][]byte{}}, "finger": {exchange.FormatFinger2005, map[string][][]byte{}},
		"iris": {exchange.FormatIris, map[string][][]byte{}}, "signature": {exchange.FormatSignature2007, map[string][][]byte{}},
	}
	pop := synth.New(1, "KAZ")
	for i := range people {
		p, name := pop.Person(i), strconv.Itoa(i)
		for n := range each {
			eye := p.IrisProbe(1, n+1)
			c := iriscode.Code{Profile: iris.ProfileSynth, Eye: 1}
			copy(c.Sample.Code[:], eye.Code())
			copy(c.Sample.Mask[:], eye.Mask())
			for kind, record := range map[string][]byte{"face": p.FaceProbe(n + 1), "finger": p.FingerProbe(2, n+1), "iris": must(c.Encode()),
				"signature": must(signature2007.Encode(p.SignatureCapture(n + 1)))} {
				out[kind].of[name] = append(out[kind].of[name], record)
			}
		}
	}
	return out
}

// shared is the benchmarks, which are not part of this repository.
func shared(t *testing.T) map[string]captures {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("benchmarks are missing: %v", err)
		}
		t.Skipf("benchmarks are not at hand: %v", err)
	}
	out := map[string]captures{}
	rows := func(name string) []string {
		return strings.Split(strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, name))))), "\n")[1:]
	}
	faces := captures{exchange.FormatEmbedding, map[string][][]byte{}}
	raw := must(os.ReadFile(filepath.Join(dir, "face", "embeddings128.f32")))
	for i, line := range rows("face/embeddings128.tsv") {
		v := make([]float32, 128)
		for j := range v {
			v[j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(128*i+j):]))
		}
		who := strings.Split(line, "\t")[1]
		faces.of[who] = append(faces.of[who], must(exchange.EncodeEmbedding(face.ModelMobileFaceNet, v)))
	}
	out["face"] = faces
	for _, by := range []string{"iso_secugen", "iso_fjfx"} {
		fingers := captures{exchange.FormatFinger2005, map[string][][]byte{}}
		paths := must(filepath.Glob(filepath.Join(dir, "fingerprint", by, "*.iso")))
		if len(paths) == 0 {
			t.Fatalf("no templates of %s", by)
		}
		for _, path := range paths {
			name := filepath.Base(path)
			who := name[:strings.LastIndexByte(name, '_')]
			fingers.of[who] = append(fingers.of[who], must(exchange.EncodeFinger(must(exchange.DecodeFinger(must(os.ReadFile(path)))))))
		}
		out["finger "+by] = fingers
	}
	eyes := captures{exchange.FormatIris, map[string][][]byte{}}
	raw = must(os.ReadFile(filepath.Join(dir, "iris", "codes2048.bin")))
	for i, line := range rows("iris/codes2048.tsv") {
		c := iriscode.Code{Profile: iris.ProfileTest, Eye: 1}
		copy(c.Sample.Code[:], raw[2*iris.Size*i:])
		copy(c.Sample.Mask[:], raw[2*iris.Size*i+iris.Size:])
		who := strings.Split(line, "\t")[1]
		eyes.of[who] = append(eyes.of[who], must(c.Encode()))
	}
	out["iris"] = eyes
	hands := captures{exchange.FormatSignature2007, map[string][][]byte{}}
	for u := 1; u <= 20; u++ {
		for k := 1; k <= 20; k++ {
			raw := must(os.ReadFile(filepath.Join(dir, "signature", "svc2004", "U"+strconv.Itoa(u)+"S"+strconv.Itoa(k)+".TXT")))
			record, err := signature2007.Encode(must(svc2004.Decode(raw)))
			if err != nil {
				continue // of values that the format does not hold
			}
			hands.of[strconv.Itoa(u)] = append(hands.of[strconv.Itoa(u)], record)
		}
	}
	out["signature"] = hands
	return out
}

// TestSecondCaptures measures, on invented people, how many second captures are taken for the
// first again, which an officer would have to repeat.
func TestSecondCaptures(t *testing.T) { secondCaptures(t, invented(60, 4)) }

// TestSharedSecondCaptures does so on real ones.
func TestSharedSecondCaptures(t *testing.T) { secondCaptures(t, shared(t)) }

// changes are what is done to a record, and how many of a hundred must be told: none is asked
// for where it is about as much as another capture differs.
var changes = []struct {
	kind, what string
	least      int
	of         func(*rand.Rand, []byte) []byte
}{
	{"face", "noise to a cosine of .9999", 100, noisyFace(.9999)},
	{"face", "noise to a cosine of .999", 98, noisyFace(.999)},
	{"face", "noise to a cosine of .998", 95, noisyFace(.998)},
	{"face", "noise to a cosine of .995", 75, noisyFace(.995)},
	{"face", "noise to a cosine of .99", 0, noisyFace(.99)},
	{"face", "noise to a cosine of .95", 0, noisyFace(.95)},
	{"finger", "1 pixel, 1.4 degrees", 98, noisyFinger(1, 1)},
	{"finger", "2 pixels, 2.8 degrees", 95, noisyFinger(2, 2)},
	{"finger", "3 pixels, 4.2 degrees", 80, noisyFinger(3, 3)},
	{"finger", "4 pixels, 5.6 degrees", 0, noisyFinger(4, 4)},
	{"finger", "1 minutia elsewhere", 98, movedFinger(1)},
	{"finger", "3 minutiae elsewhere", 95, movedFinger(3)},
	{"finger", "all moved as one", 98, shiftedFinger(20)},
	{"iris", "0.5 % of the bits", 100, noisyIris(5)},
	{"iris", "2 % of the bits", 95, noisyIris(20)},
	{"iris", "5 % of the bits", 0, noisyIris(50)},
	{"signature", "0.2 % of the width", 98, noisySignature(2)},
	{"signature", "0.5 % of the width", 90, noisySignature(5)},
	{"signature", "1 % of the width", 0, noisySignature(10)},
}

func secondCaptures(t *testing.T, all map[string]captures) {
	for name, c := range all {
		n, pairs := c.refused()
		t.Logf("%-18s %4d of %5d second captures are taken for the first again", name, n, pairs)
		if pairs < 100 || float64(n) > 0.01*float64(pairs) {
			t.Errorf("%s: %d of %d second captures are taken for the first again", name, n, pairs)
		}
		for _, change := range changes {
			if change.kind != strings.Fields(name)[0] {
				continue
			}
			n, all := c.told(change.of)
			t.Logf("%-18s %-26s told in %3d of %3d", name, change.what, n, all)
			if 100*n < change.least*all {
				t.Errorf("%s: %s told in %d of %d", name, change.what, n, all)
			}
		}
	}
}

// TestOthers: samples of two people are not alike, nor are marks of two kinds, models or keys.
func TestOthers(t *testing.T) {
	all := invented(40, 1)
	marks := map[string][][]resemblance.Mark{}
	for kind, c := range all {
		for i := range len(c.of) {
			marks[kind] = append(marks[kind], marker.Marks(c.format, c.of[strconv.Itoa(i)][0]))
		}
		for i, a := range marks[kind] {
			for j, b := range marks[kind][:i] {
				if again(a, b) {
					t.Errorf("%s: %d and %d are alike", kind, i, j)
				}
			}
		}
	}
	for kind := range marks {
		for other := range marks {
			if kind != other && again(marks[kind][0], marks[other][0]) {
				t.Errorf("%s and %s are alike", kind, other)
			}
		}
		c := all[kind]
		record := c.of["0"][0]
		if again(resemblance.New([32]byte{8}).Marks(c.format, record), marks[kind][0]) {
			t.Errorf("%s: marks of two keys are alike", kind)
		}
		if before := slices.Clone(record); !again(marker.Marks(c.format, record), marks[kind][0]) || !slices.Equal(before, record) {
			t.Errorf("%s: the same record is another, or was written to", kind)
		}
	}
	v := must(exchange.ParseEmbedding(all["face"].of["0"][0])).Values
	if again(marker.Marks(exchange.FormatEmbedding, must(exchange.EncodeEmbedding("acme-1", v))), marks["face"][0]) {
		t.Error("faces of two models are alike")
	}
}

func TestMarks(t *testing.T) {
	for _, record := range [][]byte{nil, []byte("FMR"), make([]byte, 200)} {
		for _, format := range []string{exchange.FormatEmbedding, exchange.FormatFinger2005, exchange.FormatIris, exchange.FormatSignature2007, "acme"} {
			if n := len(marker.Marks(format, record)); n != 1 {
				t.Errorf("%d marks of %d octets as %s, want the digest", n, len(record), format)
			}
		}
	}
	for _, m := range []resemblance.Mark{nil, {}, {1}, {2, 1}, {9}} {
		if resemblance.Alike(m, m) {
			t.Errorf("what is no mark is alike: %d octets", len(m))
		}
	}
	m := marker.Marks("acme", []byte("a record"))[0]
	if got := fmt.Sprintf("%v %x %s", m, m, []resemblance.Mark{m}); strings.Count(got, "redacted") != 3 || len(got) > 60 {
		t.Errorf("a mark prints as %s", got)
	}
}

func BenchmarkMarks(b *testing.B) {
	for kind, c := range invented(1, 1) {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				marker.Marks(c.format, c.of["0"][0])
			}
		})
	}
}
