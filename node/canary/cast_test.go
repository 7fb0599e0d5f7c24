package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
)

// cast is everybody who plays, and all their marks.
type cast struct {
	t testing.TB

	mu    sync.Mutex
	marks []mark
	known map[string]bool // "person 3 of KGZ", and records by their bytes
}

func newCast(t testing.TB) *cast { return &cast{t: t, known: make(map[string]bool)} }

// once reports whether key is new.
func (c *cast) once(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.known[key]
	c.known[key] = true
	return !old
}

func (c *cast) mark(kind, who string, f forms) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks = append(c.marks, mark{kind, who, f})
}

// all are the marks so far.
func (c *cast) all() []mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.marks[:len(c.marks):len(c.marks)]
}

// population is the country's in the sandbox.
func population(country string) *synth.Population { return synth.New(demo.Seed, country) }

// person gives somebody, marked. Dates and sex are not marks: they occur by chance.
func (c *cast) person(country string, i int) synth.Person {
	p := population(country).Person(i)
	who := name(p)
	if !c.once(who) {
		return p
	}
	for i, m := range p.Marks() { // in the order that synth documents
		c.mark([]string{"national number", "passport number", "family name", "given name"}[i], who, textForms(m))
	}
	seed := p.HolderSeed()
	key, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		c.t.Fatal(err)
	}
	thumbprint := key.Public().KeyID()
	c.mark("holder key seed", who, bytesForms(seed[8:24]))
	c.mark("holder key thumbprint", who, textForms(thumbprint))
	if raw, err := base64.RawURLEncoding.DecodeString(thumbprint); err == nil {
		c.mark("holder key thumbprint", who, bytesForms(raw[:16]))
	}
	c.record("face reference", who, p.FaceReference())
	c.record("finger reference", who, p.FingerReference(demo.EnrolledFinger))
	return p
}

func name(p synth.Person) string { return fmt.Sprintf("person %d of %s", p.Index, p.Jurisdiction) }

// face and finger give a probe, marked, in memory of its own: nodes wipe theirs.
func (c *cast) face(p synth.Person, n int) []byte {
	c.person(p.Jurisdiction, p.Index)
	return c.record(fmt.Sprintf("face probe %d", n), name(p), p.FaceProbe(n))
}

func (c *cast) finger(p synth.Person, n int) []byte {
	c.person(p.Jurisdiction, p.Index)
	return c.record(fmt.Sprintf("finger probe %d", n), name(p), p.FingerProbe(demo.EnrolledFinger, n))
}

// record marks a biometric record by windows of its bytes and by its values.
func (c *cast) record(kind, who string, record []byte) []byte {
	if !c.once(kind + who) {
		return record
	}
	record = bytes.Clone(record)
	switch {
	case bytes.HasPrefix(record, []byte("FMR\x00")):
		c.minutiae(kind, who, record)
	case bytes.HasPrefix(record, []byte("TEMB")):
		c.vector(kind, who, record)
	default:
		c.t.Fatalf("%s of %s is of no known format", kind, who)
	}
	return bytes.Clone(record)
}

// minutiae marks a finger record from its first minutia on; what comes before is
// the same for many people.
func (c *cast) minutiae(kind, who string, record []byte) {
	const head, each = 28, 6
	for at := head; at+2*each <= len(record); at += 7 * each {
		c.mark(kind, who, bytesForms(record[at:min(at+16, len(record))]))
		c.mark(kind, who, bytesForms(record[at+3:min(at+19, len(record))]))
	}
	samples, err := exchange.DecodeFinger(record)
	if err != nil {
		c.t.Fatal(err)
	}
	m := samples[0].Minutiae
	for at := 0; at+1 < len(m); at += 9 {
		c.mark("minutiae in "+kind, who, minutiaForms(m[at:at+2]))
	}
}

// vector marks an embedding by runs of its elements, also after normalisation as
// templates hold them.
func (c *cast) vector(kind, who string, record []byte) {
	e, err := exchange.ParseEmbedding(record)
	if err != nil {
		c.t.Fatal(err)
	}
	data := record[len(record)-4*len(e.Values):]
	for _, at := range []int{0, 6, 2 * len(e.Values), 3*len(e.Values) + 1, len(data) - 16} {
		c.mark(kind, who, bytesForms(data[at:at+16]))
	}
	var sum float64
	for _, x := range e.Values {
		sum += float64(x) * float64(x)
	}
	unit := make([]float32, len(e.Values))
	for i, x := range e.Values {
		unit[i] = float32(float64(x) / math.Sqrt(sum))
	}
	for _, at := range []int{0, len(unit) / 3, len(unit) / 2} {
		c.mark("values in "+kind, who, floatForms(e.Values[at:at+4]))
		c.mark("unit values in "+kind, who, floatForms(unit[at:at+4]))
	}
}

// consent marks an artefact: identifier, signature, and a stretch of the token that
// holds the person's key.
func (c *cast) consent(who, token string) string {
	if !c.once("consent" + token) {
		return token
	}
	parts := strings.Split(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		c.t.Fatal("the consent has no Ed25519 signature")
	}
	c.mark("consent signature", who, textForms(parts[2][:40]))
	for _, at := range []int{0, 24, 48} {
		c.mark("consent signature", who, bytesForms(signature[at:at+16]))
	}
	return token
}

// secret marks a string that has no person: an officer's account.
func (c *cast) secret(kind, value string) string {
	if c.once(kind + value) {
		c.mark(kind, "an officer", textForms(value))
	}
	return value
}

// scored marks the score of a probe against a reference, as the responder computes it.
func (c *cast) scored(who string, probe, reference []byte) {
	var score float64
	if bytes.HasPrefix(probe, []byte("FMR\x00")) {
		score = finger.Compare(c.prepared(probe), c.prepared(reference))
	} else {
		a, err := exchange.DecodeEmbedding(probe)
		if err != nil {
			c.t.Fatal(err)
		}
		b, err := exchange.DecodeEmbedding(reference)
		if err != nil {
			c.t.Fatal(err)
		}
		if score, err = face.Compare(a, b); err != nil {
			c.t.Fatal(err)
		}
	}
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], math.Float64bits(score))
	if math.Abs(score) > 0.001 && math.Abs(score) < 10 && c.once("score"+string(key[:])) {
		c.mark("comparison score", who, scoreForms(score))
	}
}

func (c *cast) prepared(record []byte) *finger.Template {
	samples, err := exchange.DecodeFinger(record)
	if err != nil {
		c.t.Fatal(err)
	}
	t, err := finger.Prepare(samples[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return t
}
