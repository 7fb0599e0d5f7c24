package enrol_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

var people = synth.New(1, "KAZ")

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// holderKey is a person's public consent key.
func holderKey(tb testing.TB, i int) jose.PublicKey {
	tb.Helper()
	seed := people.Person(i).HolderSeed()
	k, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		tb.Fatal(err)
	}
	return k.Public()
}

// members are the members of a record, as JSON, in the order of writing.
type members struct {
	subject, holder, biometrics string
}

// personMembers are a sound record's.
func personMembers(tb testing.TB, i int) members {
	tb.Helper()
	p := people.Person(i)
	key, err := json.Marshal(holderKey(tb, i))
	if err != nil {
		tb.Fatal(err)
	}
	return members{
		subject: fmt.Sprintf(`"subject":{"type":"passport","value":%q}`, p.PassportNumber),
		holder:  fmt.Sprintf(`"holder_key":%s`, key),
		biometrics: fmt.Sprintf(`"biometrics":[%s,%s]`,
			biometric("face", exchange.FormatEmbedding, "data", b64(p.FaceReference())),
			biometric("finger", exchange.FormatFinger2005, "data", b64(p.FingerReference(2)))),
	}
}

func biometric(modality, format, member, value string) string {
	return fmt.Sprintf(`{"modality":%q,"format":%q,%q:%q}`, modality, format, member, value)
}

func (m members) line() string { return "{" + m.subject + "," + m.holder + "," + m.biometrics + "}" }

func personLine(tb testing.TB, i int) string { tb.Helper(); return personMembers(tb, i).line() }

// manyLines is a manifest of small records.
func manyLines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		p := people.Person(i)
		fmt.Fprintf(&b, `{"subject":{"type":"passport","value":%q},"biometrics":[%s]}`+"\n", p.PassportNumber,
			biometric("finger", exchange.FormatFinger2005, "data", b64(p.FingerReference(2))))
	}
	return b.String()
}

// write puts a file into a folder of its own and returns its path.
func write(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// sink is a gallery in memory that can be told to fail.
type sink struct {
	failAt  int  // call from 1 that fails; 0: none
	after   bool // fail after taking effect
	results func([]gallery.Result) []gallery.Result
	calls   int
	sizes   []int
	holds   map[string]int // subject to number of templates
	order   []string
}

var errSink = errors.New("the disk is on fire")

func (s *sink) Enrol(_ context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	s.calls++
	s.sizes = append(s.sizes, len(batch))
	if s.calls == s.failAt && !s.after {
		return make([]gallery.Result, len(batch)), errSink
	}
	if s.holds == nil {
		s.holds = make(map[string]int)
	}
	results := make([]gallery.Result, len(batch))
	for i, e := range batch {
		s.order = append(s.order, e.Subject.Value)
		was, known := s.holds[e.Subject.Value]
		s.holds[e.Subject.Value] = len(e.Templates)
		switch {
		case !known:
			results[i].Change = gallery.Created
		case was == len(e.Templates):
			results[i].Change = gallery.Unchanged
		default:
			results[i].Change = gallery.Updated
		}
	}
	if s.results != nil {
		results = s.results(results)
	}
	if s.calls == s.failAt {
		return results, errSink
	}
	return results, nil
}

// run imports and collects what was reported.
func run(tb testing.TB, src enrol.Source, to enrol.Sink, checkpoint string) ([]enrol.Outcome, enrol.Totals, error) {
	tb.Helper()
	var outcomes []enrol.Outcome
	totals, err := enrol.Import(tb.Context(), src, to, enrol.Options{
		Checkpoint: checkpoint,
		Report:     func(o enrol.Outcome) { outcomes = append(outcomes, o) },
	})
	if sum := totals.Created + totals.Updated + totals.Unchanged + totals.Failed; sum != len(outcomes) || sum+totals.Resumed != totals.Records {
		tb.Fatalf("totals %+v do not add up to %d outcomes", totals, len(outcomes))
	}
	return outcomes, totals, err
}

func manifest(tb testing.TB, path string) enrol.Source {
	tb.Helper()
	src, err := enrol.Manifest(path, nil, "KAZ")
	if err != nil {
		tb.Fatal(err)
	}
	return src
}
