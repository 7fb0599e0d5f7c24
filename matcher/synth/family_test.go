package synth_test

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/synth"
)

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestFamilies: siblings are a little alike, twins so much that a face hardly tells them apart, and
// the fingers and irises of both are strangers'.
func TestFamilies(t *testing.T) {
	p := synth.New(13, "UZB")
	var siblings, twins moments
	for i := range 2000 {
		j, twin := synth.Sibling(i)
		if back, same := synth.Sibling(j); back != i || same != twin || j == i {
			t.Fatalf("sibling of %d is %d, whose sibling is %d", i, j, back)
		}
		s := cosine(p.Person(i).FaceCapture(0, 128), p.Person(j).FaceCapture(0, 128))
		if !twin {
			siblings.add(s)
			continue
		}
		twins.add(s)
		if d := distance(p.Person(i).IrisReference(0), p.Person(j).IrisReference(0), 0); d < 0.4 {
			t.Errorf("irises of twins: distance %.3f", d)
		}
	}
	t.Logf("siblings %v, twins %v", siblings, twins)
	between(t, "cosine of siblings", siblings.mean(), 0.21, 0.31)
	between(t, "cosine of twins", twins.mean(), 0.48, 0.64)
}

// distance is the share of bits that differ among those both masks show, with the second code
// turned by so many angles.
func distance(a, b synth.Iris, turn int) float64 {
	ca, ma, cb, mb := a.Code(), a.Mask(), b.Code(), b.Mask()
	differ, seen := 0, 0
	for k := range ca {
		o := (k + 2*turn + len(cb)) % len(cb)
		m := ma[k] & mb[o]
		differ += bits.OnesCount8((ca[k] ^ cb[o]) & m)
		seen += bits.OnesCount8(m)
	}
	return float64(differ) / float64(seen)
}

func TestRedaction(t *testing.T) {
	p := synth.New(1, "KAZ").Person(0)
	c := p.IrisCapture(0, 0)
	holder := struct {
		Iris any
		iris synth.Iris
	}{c, c}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		got := fmt.Sprintf(verb+verb, c, holder)
		if strings.Contains(got, fmt.Sprintf("%x", c.Code()[:4])) || strings.Contains(got, fmt.Sprint(c.Code()[:4])) || len(got) > 400 {
			t.Errorf("%s prints contents", verb)
		}
	}
	if got := c.LogValue().String(); got != "iris(redacted)" {
		t.Errorf("logs as %q", got)
	}
	var zero synth.Iris
	if zero.Code() != nil || zero.Mask() != nil {
		t.Error("the zero value holds something")
	}
	code := c.Code()
	code[0] ^= 0xff
	if code[0] == c.Code()[0] {
		t.Error("the caller can change the contents")
	}
}

// TestNobodyTwice: no two of the people share a face, a finger, an iris or a signature.
func TestNobodyTwice(t *testing.T) {
	seen := map[string]int{}
	p := synth.New(14, "KGZ")
	for i := range 300 {
		q := p.Person(i)
		for _, b := range []string{
			string(q.FaceReference()), string(q.FingerReference(2)), string(q.FingerReference(7)),
			string(q.IrisReference(0).Code()), string(q.IrisReference(1).Code()), fmt.Sprint(q.SignatureCapture(0).Points),
		} {
			if j, ok := seen[b]; ok {
				t.Errorf("people %d and %d share a record", j, i)
			}
			seen[b] = i
		}
	}
}
