package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
)

// noise is bytes in which nothing is to be found.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// TestSearcherFinds plants marks the way the standard library writes them, not the way the
// needles were made, and demands the kind of mark that is found.
func TestSearcherFinds(t *testing.T) {
	c := newCast(t)
	p := c.person("KGZ", 7)
	face, finger := c.face(p, 1), c.finger(p, 1)
	c.scored(name(p), face, p.FaceReference())
	score := scoreOf(t, p)
	s := newSearcher(c.all())
	if hits := s.deep(noise(1<<20), 6); len(hits) > 0 {
		t.Fatalf("found in noise: %v, %s", hits[0].mark, hits[0].needle.encoding)
	}
	e, err := exchange.ParseEmbedding(face)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := exchange.DecodeFinger(finger)
	if err != nil {
		t.Fatal(err)
	}
	seed := p.HolderSeed()
	window := func(b []byte) []byte { return b[len(b)/2-30 : len(b)/2+30] }
	for kind, list := range map[string]map[string][]byte{
		"passport number": asText(p.PassportNumber),
		"national number": asText(p.NationalNumber),
		"family name":     asText(p.FamilyName),
		"given name":      asText(p.GivenName),
		"holder key seed": asBytes(seed[:]),
		"face probe 1":    merged(asBytes(face), asBytes(window(face))),
		"face reference":  asBytes(window(p.FaceReference())),
		"finger probe 1":  merged(asBytes(finger), asBytes(window(finger))),
		"values in face probe 1": {
			"JSON": marshal(t, e.Values), "printed": fmt.Append(nil, e.Values), "float64": marshal(t, wide(e.Values)),
			"big-endian": ordered(t, binary.BigEndian, e.Values), "float64 big-endian": ordered(t, binary.BigEndian, wide(e.Values)),
			"float64 little-endian": ordered(t, binary.LittleEndian, wide(e.Values)),
		},
		"minutiae in finger probe 1": {
			"printed": fmt.Append(nil, samples[0].Minutiae), "with names": fmt.Appendf(nil, "%+v", samples[0]), "JSON": marshal(t, samples),
		},
		"comparison score": {
			"printed": fmt.Appendf(nil, "score %v", score), "four digits": fmt.Appendf(nil, "score=%.4f", score), "six": fmt.Appendf(nil, `"score":%.6f}`, score),
			"scientific": fmt.Appendf(nil, "%e", score), "JSON": marshal(t, map[string]float64{"s": score}),
			"float64": ordered(t, binary.LittleEndian, score), "float64 big-endian": ordered(t, binary.BigEndian, score),
			"float32": ordered(t, binary.LittleEndian, float32(score)), "CBOR float32": append([]byte{0xfa}, ordered(t, binary.BigEndian, float32(score))...),
			"bits": fmt.Appendf(nil, "%x", math.Float64bits(score)),
		},
	} {
		for how, b := range list {
			hits := s.deep(slices.Concat([]byte("before: "), b, []byte(" :after")), 4)
			if !slices.ContainsFunc(hits, func(h hit) bool {
				return h.mark.kind == kind || kind == "values in face probe 1" && strings.Contains(h.mark.kind, "face probe 1")
			}) {
				t.Errorf("%s, %s: not found", kind, how)
			}
		}
	}
}

func scoreOf(t *testing.T, p synth.Person) float64 {
	a, err := exchange.DecodeEmbedding(p.FaceProbe(1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := exchange.DecodeEmbedding(p.FaceReference())
	if err != nil {
		t.Fatal(err)
	}
	score, err := face.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return score
}

// asText is text as careless code writes it.
func asText(s string) map[string][]byte {
	var percent strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&percent, "%%%02X", c)
	}
	printed := asBytes([]byte(s))
	delete(printed, "reversed")
	return merged(printed, map[string][]byte{
		"upper case": []byte(strings.ToUpper(s)), "lower case": []byte(strings.ToLower(s)), "percent": []byte(percent.String()),
		"member name": fmt.Appendf(nil, `{%q:1}`, s), "in a file name": []byte("/tmp/" + s + "_1.iso"),
	})
}

// asBytes is bytes as careless code writes them, at every alignment, and once inside
// a token inside JSON.
func asBytes(b []byte) map[string][]byte {
	var line bytes.Buffer
	slog.New(slog.NewTextHandler(&line, nil)).Info("m", "b", b)
	slog.New(slog.NewJSONHandler(&line, nil)).Info("m", "b", [][]byte{b})
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	out := map[string][]byte{
		"raw": b, "reversed": reversed, "printed": fmt.Append(nil, b), "hex": []byte(hex.EncodeToString(b)), "upper hex": fmt.Appendf(nil, "%X", b),
		"spaced hex": fmt.Appendf(nil, "% x", b), "Go syntax": fmt.Appendf(nil, "%#v", b), "quoted": fmt.Appendf(nil, "%q", b), "logged": line.Bytes(),
	}
	for shift := range 3 {
		shifted := slices.Concat(noise(shift), b, noise(5))
		out[fmt.Sprintf("base64 %d", shift)] = []byte(base64.StdEncoding.EncodeToString(shifted))
		out[fmt.Sprintf("base64url %d", shift)] = []byte(base64.RawURLEncoding.EncodeToString(shifted))
		token := "eyJhbGciOiJFZERTQSJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"d":"`+base64.StdEncoding.EncodeToString(shifted)+`"}`)) + ".c2ln"
		out[fmt.Sprintf("token in JSON in base64 %d", shift)] = []byte(base64.StdEncoding.EncodeToString([]byte(`{"evidence":"` + token + `"}`)))
	}
	return out
}

func merged(a, b map[string][]byte) map[string][]byte {
	for k, v := range b {
		a[k+" again"] = v
	}
	return a
}

func marshal(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ordered(t *testing.T, order binary.ByteOrder, v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, order, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// TestSearcherIsExact: what only looks like a score is none.
func TestSearcherIsExact(t *testing.T) {
	s := newSearcher([]mark{{"score", "nobody", scoreForms(0.75123)}})
	for text, want := range map[string]bool{
		"score 0.7512": true, `"s":0.75123`: true, "=0.75119999": false, "12:00:30.7512Z": false, "10.7512": false, "0.7513": false, "-0.7512": true,
	} {
		if got := len(s.deep([]byte(text), 6)) > 0; got != want {
			t.Errorf("%q: found %t, want %t", text, got, want)
		}
	}
}

// TestSearcherReadsFiles finds a mark wherever it stands in a file of several chunks.
func TestSearcherReadsFiles(t *testing.T) {
	c := newCast(t)
	p := c.person("UZB", 3)
	s := newSearcher(c.all())
	edge := chunk + s.longest // of the first read
	path := filepath.Join(t.TempDir(), "big")
	reference := p.FingerReference(demo.EnrolledFinger)
	random := noise(2 * chunk)
	for _, m := range [][]byte{[]byte(p.NationalNumber), reference, []byte(base64.StdEncoding.EncodeToString(reference))} {
		for _, at := range []int{0, chunk - 1, edge - len(m)/2, edge - 1, edge, 2*chunk - len(m)} {
			for name, b := range map[string][]byte{"zeros": make([]byte, 2*chunk), "noise": slices.Clone(random)} {
				copy(b[at:], m)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				hits, size, err := s.file(path)
				if err != nil || size != 2*chunk || len(hits) == 0 {
					t.Errorf("in %s at %d: %d hits in %d bytes, %v", name, at, len(hits), size, err)
				}
			}
		}
	}
}
