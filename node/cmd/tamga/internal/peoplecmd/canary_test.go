package peoplecmd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
)

// register is a node that answers so many calls.
type register struct {
	answers          int
	taken            bool // somebody has the number
	canary, enrolled bool
	did              []string
}

var errCut = errors.New("cut off")

func (r *register) CallWith(_ context.Context, _, path, _ string, header http.Header, _ []byte, out any) error {
	if r.answers--; r.answers < 0 {
		return errCut
	}
	reply := `{"canaries":[]}`
	switch {
	case path == "/v1/canaries":
		r.canary = true
	case r.taken:
		reply = `{"created":0}`
	default:
		reply = `{"created":1}`
		r.enrolled = r.enrolled || header.Get("Tamga-Dry-Run") != "true"
	}
	r.did = append(r.did, path)
	return json.Unmarshal([]byte(reply), out)
}

// TestSeedCutOff: wherever it is cut off, nobody is enrolled who is no canary.
func TestSeedCutOff(t *testing.T) {
	e := gallery.Enrolment{Subject: pseudonym.Identifier{Jurisdiction: "KGZ", Type: pseudonym.IDPassport, Value: "ZZ1"}}
	for calls := range 4 {
		r := &register{answers: calls}
		err := seedOne(t.Context(), r, e, new(canaries))
		if done := calls == 3; done != (err == nil) || done != r.enrolled || !done && !errors.Is(err, errCut) {
			t.Errorf("after %d calls: enrolled %v, %v", calls, r.enrolled, err)
		}
		if r.enrolled && !r.canary {
			t.Errorf("after %d calls somebody is enrolled who is no canary", calls)
		}
	}
	r := &register{answers: 9, taken: true}
	if err := seedOne(t.Context(), r, e, new(canaries)); err == nil || r.canary || !slices.Equal(r.did, []string{"/v1/enrolments"}) {
		t.Errorf("a number that is somebody's: %v, %v", r.did, err)
	}
}
