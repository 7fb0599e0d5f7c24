package synth_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
)

// TestFacesMatch verifies each of 500 people with three probes, and everybody against everybody.
func TestFacesMatch(t *testing.T) {
	const people, probes = 500, 3
	threshold, err := face.Threshold(face.ModelSynth, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	p := synth.New(11, "KGZ")
	references := make([]*face.Template, people)
	for i := range references {
		references[i] = embedding(t, p.Person(i).FaceReference())
	}
	var mated, nonMated moments
	falseMatches, falseNonMatches := 0, 0
	for i := range people {
		for n := range probes {
			probe := embedding(t, p.Person(i).FaceProbe(n))
			for j, r := range references {
				s, err := face.Compare(probe, r)
				switch {
				case err != nil:
					t.Fatal(err)
				case i == j:
					mated.add(s)
					if s < threshold {
						falseNonMatches++
					}
				default:
					nonMated.add(s)
					if s >= threshold {
						falseMatches++
					}
				}
			}
		}
	}
	t.Logf("mated %v, non-mated %v, %d false non-matches, %d false matches", mated, nonMated, falseNonMatches, falseMatches)
	// 748,500 non-mated comparisons at 1 in 10,000: 75 expected.
	if falseNonMatches > 0 || falseMatches > 120 {
		t.Errorf("%d false non-matches, %d false matches", falseNonMatches, falseMatches)
	}
	if !mated.near(0.86, 0.04, 0.02) || !nonMated.near(0.01, 0.103, 0.01) {
		t.Errorf("mated %v, want 0.86, 0.04; non-mated %v, want 0.01, 0.103", mated, nonMated)
	}
}

// TestFacesCalibration recounts the thresholds of the synthetic model on people that the
// calibration did not see.
func TestFacesCalibration(t *testing.T) {
	const people = 3_000
	p := synth.New(12, "UZB")
	references, probes := make([]*face.Template, people), make([]*face.Template, people)
	for i := range references {
		references[i], probes[i] = embedding(t, p.Person(i).FaceReference()), embedding(t, p.Person(i).FaceProbe(0))
	}
	var scores []float64
	for i, a := range references {
		for _, b := range probes[:i] {
			s, err := face.Compare(a, b)
			if err != nil {
				t.Fatal(err)
			}
			scores = append(scores, s)
		}
	}
	for _, oneIn := range []uint32{100, 1_000, 10_000} {
		threshold, err := face.Threshold(face.ModelSynth, oneIn)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range scores {
			if s >= threshold {
				n++
			}
		}
		// Within what chance allows: four standard deviations of the expected count, and a tenth
		// because the comparisons share people and their groups.
		want := float64(len(scores)) / float64(oneIn)
		if math.Abs(float64(n)-want) > 4*math.Sqrt(want)+want/10 {
			t.Errorf("1 in %d: %d false matches of %d, want about %.0f", oneIn, n, len(scores), want)
		}
	}
}

// TestFingersMatch verifies a finger of each of 120 people with two probes, and everybody against
// everybody.
func TestFingersMatch(t *testing.T) {
	const people, probes = 120, 2
	threshold, err := finger.Threshold(10_000)
	if err != nil {
		t.Fatal(err)
	}
	p := synth.New(11, "KAZ")
	references := make([]*finger.Template, people)
	for i := range references {
		references[i] = prepare(t, p.Person(i).FingerReference(uint8(i%11)))
	}
	var mated, nonMated moments
	falseMatches, falseNonMatches := 0, 0
	for i := range people {
		for n := range probes {
			probe := prepare(t, p.Person(i).FingerProbe(uint8(i%11), n))
			for j, r := range references {
				s := finger.Compare(probe, r)
				if i == j {
					mated.add(s)
					if s < threshold {
						falseNonMatches++
					}
					continue
				}
				nonMated.add(s)
				if s >= threshold {
					falseMatches++
				}
			}
		}
	}
	t.Logf("threshold %.3f, mated %v, non-mated %v, %d false non-matches, %d false matches", threshold,
		mated, nonMated, falseNonMatches, falseMatches)
	// 28,560 non-mated comparisons at 1 in 10,000: 3 expected, as of real fingers.
	if falseNonMatches > 0 || falseMatches > 10 {
		t.Errorf("%d of %d false non-matches, want none; %d false matches, want about 3",
			falseNonMatches, people*probes, falseMatches)
	}
}

func prepare(t testing.TB, record []byte) *finger.Template {
	t.Helper()
	f, err := finger.Prepare(view(t, record))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// moments gathers mean, deviation and range.
type moments struct {
	n, sum, squares, least, most float64
}

func (m *moments) add(x float64) {
	if m.n == 0 {
		m.least, m.most = x, x
	}
	m.least, m.most = min(m.least, x), max(m.most, x)
	m.n, m.sum, m.squares = m.n+1, m.sum+x, m.squares+x*x
}

func (m moments) mean() float64      { return m.sum / m.n }
func (m moments) deviation() float64 { return math.Sqrt(m.squares/m.n - m.mean()*m.mean()) }

func (m moments) near(mean, deviation, tolerance float64) bool {
	return math.Abs(m.mean()-mean) <= tolerance && math.Abs(m.deviation()-deviation) <= tolerance
}

func (m moments) String() string {
	return fmt.Sprintf("%.3f ± %.3f [%.3f, %.3f]", m.mean(), m.deviation(), m.least, m.most)
}
