package membership

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// statementsRoom is what an Intermediate leaves in a notice for the statements about it and
// those above it, which whoever hands the notice on adds.
const statementsRoom = 64 << 10

// says reports whether a listing that was signed before says the same as one to be signed, and
// was not dated ahead by a clock that has been mended since.
func (l Listing) says(next Listing) bool {
	return slices.Equal(l.Members, next.Members) && slices.Equal(l.Suspended, next.Suspended) && !l.IssuedAt.After(next.IssuedAt)
}

// timedLocked signs an Intermediate's listing when it says something else than the last.
func (a *Author) timedLocked(next Listing) (Listing, string, error) {
	if a.token != "" && a.said.says(next) {
		return a.said, a.token, nil
	}
	next.Sequence = max(a.said.Sequence+1, uint64(a.cfg.Clock().UnixMilli()))
	token, err := a.sign(next)
	if err != nil {
		return Listing{}, "", err
	}
	a.said, a.token = next, token
	return next, token, nil
}

// Notice is what an Intermediate says of those below it now, without the statements above it.
// held is the newest listing that others have of it, with its token, or zero: after a start
// that is gone on from when a key of its own signed it, and one of a time to come, from before the clock was put right, is
// outdone.
func (a *Author) Notice(held Listing, token string) (Notice, Listing, error) {
	fail := func(err error) (Notice, Listing, error) { return Notice{}, Listing{}, err }
	if a.cfg.File != "" {
		return fail(errors.New("a Trust Anchor says what it has to say in its bundle"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.cfg.Authority.Reload(); err != nil {
		return fail(err)
	}
	_, err := a.last(token)
	switch {
	case held.Sequence <= a.said.Sequence, token != "" && err != nil:
	case a.token == "" && signedBy(token, a.cfg.Key):
		a.said, a.token = held, token
	default:
		a.said, a.token = Listing{Sequence: held.Sequence}, ""
	}
	l, token, err := a.updateLocked(a.cfg.Authority.List())
	if err != nil {
		return fail(err)
	}
	own, err := a.cfg.Authority.Configuration()
	if err != nil {
		return fail(err)
	}
	return Notice{Configuration: own, Listing: token}, l, nil
}

// Answer answers for an Intermediate: its listing ([endpoint.Listing], PROTOCOL.md, TMG-E-015)
// beside what the authority answers.
func (a *Author) Answer(r endpoint.Request) endpoint.Response {
	if r.Operation != endpoint.Listing || a.cfg.File != "" {
		return a.cfg.Authority.Answer(r)
	}
	n, _, err := a.Notice(Listing{}, "")
	if err != nil {
		return endpoint.Response{Code: endpoint.ServerError}
	}
	b, err := json.Marshal(n)
	if err != nil {
		return endpoint.Response{Code: endpoint.ServerError}
	}
	return endpoint.Response{Body: string(b)}
}

// ParseAnswer reads what [Author.Answer] gave, and adds the statements above the
// Intermediate. Nothing in it is verified.
func ParseAnswer(body string, statements []string) (Notice, error) {
	var n Notice
	if err := jose.DecodeClaims([]byte(body), &n); err != nil || n.Configuration == "" || n.Listing == "" || n.Statements != nil {
		return Notice{}, errors.New("reading notice: not the JSON object of this protocol")
	}
	n.Statements = statements
	return n, nil
}
