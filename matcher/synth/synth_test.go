package synth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
)

func sensors() []synth.Sensor {
	return []synth.Sensor{synth.SensorOptical, synth.SensorOpticalFine, synth.SensorCapacitive, synth.SensorIdeal}
}

// TestGolden notices any change of the people: a digest over everything about the first five of
// each country, the same on every architecture. If it fails, either the change was a mistake or it
// is a breaking release.
func TestGolden(t *testing.T) {
	const want = "6ae3716f61d57b24b3661bb326f918c7da86dfcac9dbbe3cd89960adab378a7a"
	h := sha256.New()
	for _, j := range synth.Jurisdictions() {
		p := synth.New(1, j)
		for i := range 5 {
			q := p.Person(i)
			fmt.Fprintf(h, "%+v\n%x\n", q.Document(), q.HolderSeed())
			h.Write(q.FaceReference())
			h.Write(q.FaceProbe(0))
			for position := range uint8(11) {
				h.Write(q.FingerReference(position))
				h.Write(q.FingerProbe(position, 3))
			}
			for n := range 2 {
				fmt.Fprintf(h, "%v\n", q.FaceCapture(n, 96))
				for _, s := range sensors() {
					h.Write(q.FingerCapture(uint8(i), n, s, synth.ExtractorSparse))
					h.Write(q.FingerCapture(uint8(i), n, s, synth.ExtractorDense))
				}
				for _, c := range []synth.Iris{q.IrisReference(0), q.IrisProbe(1, n), q.IrisCapture(1, n)} {
					h.Write(c.Code())
					h.Write(c.Mask())
				}
				fmt.Fprintf(h, "%v\n%v\n", q.SignatureCapture(n).Points, q.Forgery(n).Points)
			}
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEverythingDepends(t *testing.T) {
	base := synth.New(1, "KAZ").Person(7)
	others := map[string]synth.Person{
		"seed":         synth.New(2, "KAZ").Person(7),
		"jurisdiction": synth.New(1, "UZB").Person(7),
		"index":        synth.New(1, "KAZ").Person(8),
	}
	for name, o := range others {
		if base.HolderSeed() == o.HolderSeed() || base.PassportNumber == o.PassportNumber ||
			base.NationalNumber == o.NationalNumber ||
			bytes.Equal(base.FaceReference(), o.FaceReference()) ||
			bytes.Equal(base.FaceProbe(1), o.FaceProbe(1)) ||
			bytes.Equal(base.FingerReference(2), o.FingerReference(2)) {
			t.Errorf("%s makes no difference", name)
		}
	}
	if bytes.Equal(base.FaceProbe(0), base.FaceProbe(1)) || bytes.Equal(base.FingerProbe(2, 0), base.FingerProbe(2, 1)) ||
		bytes.Equal(base.FingerReference(2), base.FingerReference(3)) ||
		bytes.Equal(base.FingerReference(2), base.FingerProbe(2, 0)) {
		t.Error("captures or fingers are alike")
	}
	if base != synth.New(1, "KAZ").Person(7) {
		t.Error("not deterministic")
	}
}

func TestNumbers(t *testing.T) {
	national := regexp.MustCompile(`^SYNTJK[0-9]{10}$`)
	passport := regexp.MustCompile(`^SYN[A-Z][A-Z0-9]{5}$`)
	day := regexp.MustCompile(`^(19[5-9]|20[034])[0-9]-(0[1-9]|1[0-2])-([01][1-9]|10|2[0-8])$`)
	word := regexp.MustCompile(`^[A-Z][a-z]{9,}$`)
	p := synth.New(3, "TJK")
	seen := map[string]bool{}
	women := 0
	for i := range 20_000 {
		q := p.Person(i)
		if !national.MatchString(q.NationalNumber) || !passport.MatchString(q.PassportNumber) ||
			!day.MatchString(q.DateOfBirth) || !day.MatchString(q.DateOfExpiry) ||
			!word.MatchString(q.GivenName) || !word.MatchString(q.FamilyName) {
			t.Fatalf("ill-formed: %+v", q)
		}
		if seen[q.NationalNumber] || seen[q.PassportNumber] {
			t.Fatalf("person %d shares a number", i)
		}
		seen[q.NationalNumber], seen[q.PassportNumber] = true, true
		if q.Sex == "F" {
			women++
		}
	}
	if women < 9_700 || women > 10_300 {
		t.Errorf("%d of 20000 are women", women)
	}
}

func TestMarksAndDocument(t *testing.T) {
	q := synth.New(1, "XKX").Person(0)
	d := q.Document()
	for _, s := range []string{q.GivenName, q.FamilyName, q.NationalNumber, q.PassportNumber} {
		if len(s) < 9 || !slices.Contains(q.Marks(), s) {
			t.Errorf("%q is no mark", s)
		}
	}
	if d.Issuer != "XKX" || d.Number != q.PassportNumber || d.PersonalNumber != q.NationalNumber {
		t.Errorf("got %+v", d)
	}
}

func TestRangesPanic(t *testing.T) {
	p := synth.New(1, "KAZ")
	p.Person(synth.MaxPersons - 1)
	for name, f := range map[string]func(){
		"negative":  func() { p.Person(-1) },
		"beyond":    func() { p.Person(synth.MaxPersons) },
		"position":  func() { p.Person(0).FingerReference(11) },
		"sensor":    func() { p.Person(0).FingerCapture(1, 0, synth.SensorIdeal+1, synth.ExtractorSparse) },
		"extractor": func() { p.Person(0).FingerCapture(1, 0, synth.SensorIdeal, synth.ExtractorDense+1) },
		"eye":       func() { p.Person(0).IrisReference(2) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// TestFingersLookReal checks what extractors guarantee: counts, spacing, everything on the image.
func TestFingersLookReal(t *testing.T) {
	p := synth.New(5, "UZB")
	for i := range 150 {
		q := p.Person(i)
		position := uint8(i % 11)
		checkView(t, view(t, q.FingerReference(position)), position, 18, 75)
		checkView(t, view(t, q.FingerProbe(position, i)), position, 15, 85)
	}
}

func checkView(t *testing.T, v finger.Sample, position uint8, fewest, most int) {
	t.Helper()
	if v.Position != position || v.Width != 388 || v.Height != 374 || v.ResX != 197 {
		t.Errorf("got position %d, %d x %d", v.Position, v.Width, v.Height)
	}
	if n := len(v.Minutiae); n < fewest || n > most {
		t.Errorf("got %d minutiae, want %d to %d", n, fewest, most)
	}
	for i, a := range v.Minutiae {
		for _, b := range v.Minutiae[:i] {
			dx, dy := int(a.X)-int(b.X), int(a.Y)-int(b.Y)
			if dx*dx+dy*dy < 3*3 { // 4 before rounding to pixels
				t.Errorf("minutiae %d, %d pixels apart", dx, dy)
			}
		}
	}
}

func view(t testing.TB, record []byte) finger.Sample {
	t.Helper()
	s, err := exchange.DecodeFinger(record)
	if err != nil || len(s) != 1 {
		t.Fatalf("got %d views, %v", len(s), err)
	}
	return s[0]
}

func embedding(t testing.TB, b []byte) *face.Template {
	t.Helper()
	f, err := exchange.DecodeEmbedding(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func Example() {
	person := synth.New(1, "KGZ").Person(0)
	fmt.Println(person.Document().Issuer, person.PassportNumber[:3], person.FamilyName[:5])

	reference, err := exchange.DecodeEmbedding(person.FaceReference())
	if err != nil {
		panic(err)
	}
	probe, err := exchange.DecodeEmbedding(person.FaceProbe(0))
	if err != nil {
		panic(err)
	}
	score, err := face.Compare(probe, reference)
	if err != nil {
		panic(err)
	}
	threshold, err := face.Threshold(face.ModelSynth, 1_000_000)
	if err != nil {
		panic(err)
	}
	fmt.Println(score >= threshold)
	// Output:
	// KGZ SYN Synth
	// true
}

func BenchmarkEnrolment(b *testing.B) {
	p := synth.New(1, "KAZ")
	for i := 0; b.Loop(); i++ {
		q := p.Person(i)
		q.FaceReference()
		q.FingerReference(2)
	}
}
