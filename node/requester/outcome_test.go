package requester_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
)

// TestOnlyVerified is every outcome with every code by every path that a reply can
// take. matched and not_matched come out of one of them alone: signed by the
// responder, bound to the Query, under their own code, with a receipt that holds.
func TestOnlyVerified(t *testing.T) {
	own, foreign := books(t)
	honest := func(w *world, a asked, v protocol.Verdict) []byte { return w.answer(a, v) }
	paths := map[string]func(*world, asked, protocol.Verdict) []byte{
		"honest": honest,
		"no-receipt": func(_ *world, a asked, v protocol.Verdict) []byte {
			return must(a.q.Answer(v, lognote.Receipt{}, holderSigning(), start))
		},
		"foreign-receipt": func(w *world, a asked, v protocol.Verdict) []byte {
			return must(a.q.Answer(v, w.receipt(foreign, a, v), holderSigning(), start))
		},
		"stranger": func(w *world, a asked, v protocol.Verdict) []byte {
			return must(a.q.Answer(v, lognote.Receipt{}, strangerSigning(), start))
		},
		"refusal": func(_ *world, a asked, v protocol.Verdict) []byte {
			claims := must(json.Marshal(map[string]any{"iss": holder, "iat": start.Unix(), "query_hash": a.q.Hash.String(),
				"outcome": string(v.Outcome), "code": string(v.Code)}))
			return []byte(must(jose.Sign(holderSigning(), protocol.TypeRefusal, claims)))
		},
	}
	outcomes := []protocol.Outcome{protocol.Matched, protocol.NotMatched, protocol.Inconclusive, protocol.Refused, protocol.Unavailable, "", "yes"}
	accepted, tried := 0, 0
	for path, reply := range paths {
		for _, o := range outcomes {
			for _, e := range protocol.Registry() {
				if e.Code == protocol.CodeRestarted || path != "refusal" && !e.Wire && e.Outcome == "" {
					continue
				}
				v := protocol.Verdict{Outcome: o, Code: e.Code, FMROneIn: 1000}
				w := newWorld(own, foreign)
				w.peer = func(_ context.Context, a asked) ([]byte, error) { return reply(w, a, v), nil }
				res, err := w.Verify(t.Context(), request())
				if err != nil {
					t.Fatal(err)
				}
				tried++
				decided := res.Outcome == protocol.Matched || res.Outcome == protocol.NotMatched || res.Outcome == protocol.Inconclusive
				sound := path == "honest" && e.Wire && e.Outcome == o && !strings.HasPrefix(string(e.Code), "TMG-IDN-") // of searches
				if decided && !sound {
					t.Errorf("%s: %q with %s came out as %s", path, o, e.Code, res.Outcome)
				}
				if sound && res.Outcome != o {
					t.Errorf("%s: %q with %s came out as %s", path, o, e.Code, res.Outcome)
				}
				if !res.Outcome.Valid() || res.Code.Outcome() != res.Outcome {
					t.Errorf("%s: %q with %s came out as %q with %s", path, o, e.Code, res.Outcome, res.Code)
				}
				if res.Outcome.Accepted() {
					accepted++
				}
				if last := w.leaves[len(w.leaves)-1]; last.Verdict != res.Verdict {
					t.Errorf("%s: %q with %s: recorded %+v, shown %+v", path, o, e.Code, last.Verdict, res.Verdict)
				}
			}
		}
	}
	if accepted != 1 || tried < 1000 {
		t.Errorf("%d of %d accepted, want one", accepted, tried)
	}
}

// TestCanary searches logs, ledger leaves, errors and what is readable of the frame
// for a marked person and probe, through every way a question can go.
func TestCanary(t *testing.T) {
	own, foreign := books(t)
	p := person(7)
	probe := p.FaceProbe(1)[60:84]
	marks := []string{string(probe), hex.EncodeToString(probe), base64.RawURLEncoding.EncodeToString(probe), base64.StdEncoding.EncodeToString(probe)}
	for _, m := range p.Marks() {
		marks = append(marks, m, hex.EncodeToString([]byte(m)), base64.RawStdEncoding.EncodeToString([]byte(m)))
	}
	for name, edit := range map[string]func(*world){
		"matched": func(*world) {},
		"garbage": func(w *world) { w.peer = func(context.Context, asked) ([]byte, error) { return []byte("no"), nil } },
		"unreachable": func(w *world) {
			w.peer = func(context.Context, asked) ([]byte, error) { return nil, transport.ErrUnreachable }
		},
		"own-law": func(w *world) { w.law.Allowed = false },
		"intent":  func(w *world) { w.fail[protocol.LeafIntent] = errors.New("disk") },
		"verdict": func(w *world) { w.fail[protocol.LeafVerdict] = errors.New("disk") },
		"lookup":  func(w *world) { w.lookup = errors.New("cache") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(own, foreign)
			edit(w)
			req := request()
			res, err := w.Verify(t.Context(), req)
			var leaves strings.Builder
			for _, l := range w.leaves {
				leaves.Write(must(l.Marshal()))
			}
			var sent strings.Builder
			for _, f := range w.sent {
				sent.Write(must(jose.Parse(string(f))).Payload())
			}
			for where, text := range map[string]string{
				"log": w.logs.String(), "leaf": leaves.String(), "frame": sent.String(), "result": fmt.Sprintf("%+v %v", res, err), "request": fmt.Sprintf("%+v", req),
			} {
				for _, m := range marks {
					if strings.Contains(text, m) {
						t.Errorf("%s holds the mark %q", where, m)
					}
				}
			}
		})
	}
}
