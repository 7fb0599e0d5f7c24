package responder_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/synth"
)

// payload is a reply as anyone on its way can read it.
func payload(t testing.TB, reply []byte) string {
	t.Helper()
	u, err := jose.Parse(string(reply))
	if err != nil {
		t.Fatal(err)
	}
	return string(u.Payload())
}

// marks are what must not show of a person, in every form it could take.
func marks(p synth.Person, records ...[]byte) []string {
	var raw [][]byte
	for _, m := range append(p.Marks(), string(passport(p).Canonical())) {
		raw = append(raw, []byte(m), []byte(strings.ToLower(m)))
	}
	for _, r := range records {
		// Past the header, which all records share.
		raw = append(raw, r[40:56], r[len(r)-24:len(r)-8])
	}
	var out []string
	for _, r := range raw {
		out = append(out, string(r), hex.EncodeToString(r), strings.ToUpper(hex.EncodeToString(r)), strings.Trim(fmt.Sprint(r), "[]"))
		for shift := range 3 { // base64 of a text that begins 0, 1 or 2 octets before
			e := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), r...))
			e = e[4*((shift+2)/3) : len(e)-len(e)%4]
			if len(e) >= 8 {
				out = append(out, e, strings.NewReplacer("+", "-", "/", "_").Replace(e))
			}
		}
	}
	return out
}

func search(t *testing.T, where string, text []byte, marks []string) {
	t.Helper()
	for _, m := range marks {
		if bytes.Contains(text, []byte(m)) {
			t.Errorf("%s holds the mark %q", where, m)
		}
	}
}

// TestDetector: a search that finds nothing must be able to find something.
func TestDetector(t *testing.T) {
	p := person(7)
	record := p.FingerProbe(2, 1)
	found := 0
	for _, text := range []string{
		"x" + p.PassportNumber, hex.EncodeToString(record), base64.StdEncoding.EncodeToString(record),
		base64.RawURLEncoding.EncodeToString(append([]byte("a"), record...)), base64.RawURLEncoding.EncodeToString(append([]byte("ab"), record...)),
		fmt.Sprint(record), string(record),
	} {
		for _, m := range marks(p, record) {
			if strings.Contains(text, m) {
				found++
				break
			}
		}
	}
	if found != 7 {
		t.Fatalf("found %d of 7", found)
	}
}

// TestCanary plays every fault and every verdict about marked people and searches
// what anyone sees of it: log lines at every level, replies, ledger leaves. The
// verdict itself is nowhere but in the seal and the ledger.
func TestCanary(t *testing.T) {
	p, other := person(7), person(8)
	base := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2))),
		enrolled(other, fingerTemplate(2, []byte("a reference that is none"))))
	bends := faults()
	bends = append(bends,
		fault{name: "matched", bend: func(*world, *query) {}},
		fault{name: "not-matched", bend: func(_ *world, q *query) { q.question.Probes[0].Data = other.FaceProbe(1) }},
		fault{name: "finger", bend: func(_ *world, q *query) {
			q.question.Probes = append(q.question.Probes, fingerProbe(2, p.FingerProbe(2, 1)))
		}},
		fault{name: "bad-reference", bend: func(_ *world, q *query) {
			q.question.Subject, q.question.Probes = passport(other), []protocol.Probe{fingerProbe(2, p.FingerProbe(2, 1))}
		}},
		fault{name: "panic", bend: func(w *world, _ *query) { w.gallery.panic = p.FingerProbe(2, 1) }},
		fault{name: "ledger", bend: func(w *world, _ *query) { w.ledger.err = fmt.Errorf("disk") }},
		fault{name: "position", bend: func(_ *world, q *query) {
			q.question.Probes = []protocol.Probe{fingerProbe(2, append(p.FingerProbe(2, 1), 0))}
		}},
	)
	all := marks(p, p.FaceProbe(1), p.FaceReference(), p.FingerProbe(2, 1), p.FingerReference(2), other.FaceProbe(1))
	all = append(all, marks(other)...)
	for _, f := range bends {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			_, q := traveller()
			q.question.Consent = consented(p, nil)
			f.bend(w, &q)
			pending := q.pending(t)
			reply, err := w.Handle(t.Context(), q.from, pending.Frame)
			if err != nil {
				search(t, "error", []byte(err.Error()), all)
			}
			search(t, "log", w.logs.Bytes(), all)
			search(t, "reply", reply, all)
			search(t, "claims", []byte(payload(t, reply)), all)
			pending.Issuer, pending.Audience = asker, self
			a, err := pending.Reply(reply, peer(), start)
			if err != nil {
				t.Fatal(err)
			}
			search(t, "leaf", a.Receipt.Leaf, all)
			search(t, "checkpoint", a.Receipt.Checkpoint, all)
			if a.Signed {
				for _, secret := range []string{string(a.Outcome), string(a.Code)} {
					if strings.Contains(payload(t, reply), secret) {
						t.Errorf("the reply says %q in clear", secret)
					}
				}
			}
			if w.logs.Len() == 0 {
				t.Error("nothing was logged")
			}
		})
	}
}

// TestLogDoesNotTell: whoever reads the log cannot tell a match from none.
func TestLogDoesNotTell(t *testing.T) {
	p := person(7)
	base := newWorld().withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	lines := map[string]string{}
	for name, probe := range map[string][]byte{"same": p.FaceProbe(1), "other": person(8).FaceProbe(1)} {
		w := newWorld()
		w.gallery.under = base.gallery.under
		if _, err := w.Handle(t.Context(), askerKey, about(p, faceProbe(probe)).pending(t).Frame); err != nil {
			t.Fatal(err)
		}
		_, lines[name], _ = strings.Cut(w.logs.String(), "level")
	}
	if lines["same"] != lines["other"] || lines["same"] == "" {
		t.Errorf("log of a match:\n%sof none:\n%s", lines["same"], lines["other"])
	}
}
