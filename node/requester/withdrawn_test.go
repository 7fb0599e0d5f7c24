package requester_test

import (
	"errors"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestWithdrawn: on an artefact that is withdrawn, or of which that cannot be told, nothing is asked, also where own law
// wants none: the responder's may, and may not have been told yet.
func TestWithdrawn(t *testing.T) {
	for name, c := range map[string]struct {
		required, withdrawn bool
		untold              error
		want                protocol.Code
	}{
		"own-law-wants-it": {true, true, nil, protocol.CodeConsentWithdrawn},
		"own-law-does-not": {false, true, nil, protocol.CodeConsentWithdrawn},
		"not-told":         {false, false, errors.New("store away"), protocol.CodeConsentStore},
		"given":            {true, false, nil, protocol.CodeMatched},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(books(t))
			w.withdrawn, w.untold = c.withdrawn, c.untold
			w.law.ConsentRequired, w.law.Consents = c.required, []string{"holder"}
			ask := request()
			ask.Question.Consent = "e30.e30.e30"
			res, err := w.Verify(t.Context(), ask)
			if err != nil || res.Code != c.want {
				t.Fatalf("got %s, %v, want %s", res.Code, err, c.want)
			}
			if asked := len(w.sent) > 0; asked != (c.want == protocol.CodeMatched) {
				t.Errorf("asked: %v", asked)
			}
			if c.want != protocol.CodeMatched && (len(w.leaves) != 1 || w.leaves[0].Query != protocol.Hash{}) {
				t.Errorf("%d entries", len(w.leaves))
			}
		})
	}
}
