package protection_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/protect"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/protection"
)

var people = synth.New(3, "KAZ")

// generations have a secret each; the last is current.
func generations(node byte, numbers ...uint32) keys.Generations {
	g := keys.Generations{Secrets: map[uint32][]byte{}}
	for _, n := range numbers {
		g.Current, g.Secrets[n] = n, bytes.Repeat([]byte{node, byte(n)}, protect.SecretSize/2)
	}
	return g
}

func faces(t testing.TB, node byte, numbers ...uint32) *protection.Faces {
	t.Helper()
	f, err := protection.New(generations(node, numbers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Wipe)
	return f
}

func template(data []byte) gallery.Template {
	return gallery.Template{Modality: "face", Format: exchange.FormatEmbedding, Position: 1, Data: data}
}

// quantised is the same face in 8 bits a value.
func quantised(t testing.TB, data []byte) []byte {
	t.Helper()
	e, err := exchange.ParseEmbedding(data)
	if err != nil {
		t.Fatal(err)
	}
	q, err := exchange.Quantised(e.Model, e.Values)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = q.Encode(); err != nil {
		t.Fatal(err)
	}
	return data
}

func decoded(t testing.TB, data []byte) *face.Template {
	t.Helper()
	f, err := exchange.DecodeEmbedding(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// score compares a probe with what is stored.
func score(t testing.TB, by *protection.Faces, probe []byte, stored gallery.Template) float64 {
	t.Helper()
	reference := decoded(t, stored.Data)
	turned, err := by.Turn(decoded(t, probe), reference.Model())
	if err != nil {
		t.Fatal(err)
	}
	s, err := face.Compare(turned, reference)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScoresStay holds the scores of stored faces to those of the faces: under the
// first generation, and renewed into twenty more.
func TestScoresStay(t *testing.T) {
	const renewals = 20
	for form, c := range map[string]struct {
		of        func(testing.TB, []byte) []byte
		tolerance float64 // a score may move by, and each renewal by as much again
	}{
		"float32": {func(_ testing.TB, b []byte) []byte { return b }, 2e-7},
		"int8":    {quantised, 0.004},
	} {
		t.Run(form, func(t *testing.T) {
			var before, after float64
			for i := range 20 {
				reference, probe := c.of(t, people.Person(i).FaceReference()), c.of(t, people.Person(i/2).FaceProbe(1))
				want, err := face.Compare(decoded(t, probe), decoded(t, reference))
				if err != nil {
					t.Fatal(err)
				}
				by := faces(t, 1, 1)
				stored, n, err := by.Protect(template(reference))
				if err != nil || n != 1 || stored.Position != 1 || len(stored.Data) < len(reference) {
					t.Fatalf("generation %d, position %d, %v", n, stored.Position, err)
				}
				before = max(before, math.Abs(score(t, by, probe, stored)-want))
				for g := uint32(2); g < 2+renewals; g++ {
					by.Replace(faces(t, 1, g-1, g))
					if stored, n, err = by.Renew(stored); err != nil || n != g {
						t.Fatalf("generation %d, %v", n, err)
					}
				}
				after = max(after, math.Abs(score(t, by, probe, stored)-want))
			}
			t.Logf("scores moved by up to %.2g, and by up to %.2g after %d renewals", before, after, renewals)
			if before > c.tolerance || after > c.tolerance*math.Sqrt(1+renewals) {
				t.Error("that is more than rounding")
			}
		})
	}
}

// TestApart: templates of two nodes, two generations, or a template and its stored form
// are not compared, and neither is renewed by who lacks the secret.
func TestApart(t *testing.T) {
	one, two := faces(t, 1, 1, 2), faces(t, 2, 1, 2)
	plain := people.Person(0).FaceReference()
	stored, n, err := one.Protect(template(plain))
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if !one.Holds(1) || !one.Holds(2) || one.Holds(3) || one.Holds(0) {
		t.Error("holds other generations than it was given")
	}
	name := decoded(t, stored.Data).Model()
	if _, err := two.Turn(decoded(t, plain), name); !errors.Is(err, protection.ErrGeneration) {
		t.Errorf("another node: %v", err)
	}
	if _, err := faces(t, 1, 1).Turn(decoded(t, plain), name); !errors.Is(err, protection.ErrGeneration) {
		t.Errorf("without the generation: %v", err)
	}
	if _, err := one.Turn(decoded(t, stored.Data), name); !errors.Is(err, face.ErrModelMismatch) {
		t.Errorf("a stored template as probe: %v", err)
	}
	two.Replace(faces(t, 2, 2, 3))
	if _, _, err := two.Renew(stored); !errors.Is(err, protection.ErrGeneration) {
		t.Errorf("renewed by another node: %v", err)
	}
	if _, _, err := faces(t, 1, 3).Renew(stored); !errors.Is(err, protection.ErrGeneration) {
		t.Errorf("renewed without the generation: %v", err)
	}
	if _, _, err := one.Renew(stored); err == nil {
		t.Error("renewed what is current")
	}
	if renewed, n, err := one.Renew(template(plain)); err != nil || n != 2 || !bytes.Equal(renewed.Data, stored.Data) {
		t.Errorf("renewing what is not protected: generation %d, %v", n, err)
	}
	if _, _, err := one.Protect(stored); err == nil {
		t.Error("protected twice")
	}
	if _, _, err := one.Protect(template([]byte("CANARY"))); err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("protected noise: %v", err)
	}
	for _, c := range []struct {
		modality, format string
		want             bool
	}{{"face", exchange.FormatEmbedding, true}, {"finger", exchange.FormatFinger2005, false}, {"face", "other", false}} {
		if one.Covers(c.modality, c.format) != c.want {
			t.Errorf("covers %s %s: not %t", c.modality, c.format, c.want)
		}
	}
}

// TestManyModels goes past what is kept of transforms.
func TestManyModels(t *testing.T) {
	by := faces(t, 1, 1)
	e, err := exchange.ParseEmbedding(people.Person(0).FaceReference())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			data, err := exchange.EncodeEmbedding(fmt.Sprintf("model-%d", i%12), e.Values)
			if err != nil {
				t.Error(err)
				return
			}
			stored, _, err := by.Protect(template(data))
			if err != nil {
				t.Error(err)
				return
			}
			if s := score(t, by, data, stored); s < 1-1e-6 {
				t.Errorf("model %d: a face and itself score %f", i, s)
			}
		})
	}
	all.Wait()
}

// TestReplaceWaits replaces generations under users, each of whom gets a template of
// one of them, whole, or none.
func TestReplaceWaits(t *testing.T) {
	by := faces(t, 1, 1)
	data := people.Person(0).FaceReference()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				stored, n, err := by.Protect(template(data))
				if err != nil {
					t.Error(err)
					return
				}
				again, err := protection.New(generations(1, n))
				if err != nil {
					t.Error(err)
					return
				}
				if s := score(t, again, data, stored); s < 1-1e-6 {
					t.Errorf("generation %d: a face and itself score %f", n, s)
				}
			}
		})
	}
	for g := uint32(2); g < 20; g++ {
		by.Replace(faces(t, 1, g))
	}
	all.Wait()
	by.Wipe()
	by.Wipe()
	if _, _, err := by.Protect(template(data)); !errors.Is(err, protection.ErrGeneration) {
		t.Errorf("after Wipe: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	short := generations(1, 1)
	short.Secrets[1] = short.Secrets[1][:31]
	gone := generations(1, 1, 2)
	delete(gone.Secrets, 2)
	for name, g := range map[string]keys.Generations{"none": {}, "short": short, "current gone": gone, "zero": generations(1, 0)} {
		if f, err := protection.New(g); !errors.Is(err, keys.ErrMalformed) || f != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedacts(t *testing.T) {
	by := faces(t, 0xab, 1)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("f", by))
	out := log.String() + fmt.Sprintf("%v %+v %#v %x %d", by, by, by, by, by)
	if strings.Contains(out, "ab01ab01") || strings.Contains(out, "171 1 171") || !strings.Contains(out, "redacted") {
		t.Errorf("printed: %s", out)
	}
}
