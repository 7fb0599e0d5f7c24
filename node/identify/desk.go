// Package identify searches a node's register for whom a sample may be of (1:N), and says who a
// candidate is: operations identify and resolve of federation/protocol.
//
// [New], and give the [Desk] to node/responder. A search returns handles: random, for one
// requester, purpose and case, good once and for minutes. Who stands behind one is told by
// a second Query with an order of its own, where the gallery keeps identifiers
// (gallery.Config.Identifiers); it tells a candidate and not an identified person.
//
// A gallery that is searched is read as a whole: page by page its templates are decrypted,
// compared with the very comparators and calibrations of a verification, and wiped. There is no resident
// index (matcher/search): that would hold in clear, for ever, what nothing else here holds but for
// one comparison, so a search costs a decryption of everybody and is bounded in time.
//
// Invariants:
//
//   - whatever law says, nobody is searched for or told on another legal basis than a court's order or
//     a vital interest, or without an order for that one Query which two officers signed;
//   - no score, no order of scores, no number of people and no identifier is told by a search;
//   - a handle that was handed out is durable before the Answer, and is taken, durably and for all nodes of the
//     store, before anything is told: it is good once;
//   - "nobody" is said only when everybody with the modality was compared;
//   - one search runs at a time, and one template for each of its workers is in clear.
package identify

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/pace"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/rows"
)

// Gallery is who is enrolled. gallery.Gallery does.
type Gallery interface {
	Everybody(ctx context.Context, modality string, parts int, visit func(part int, page []gallery.References) error) (seen, least int64, err error)
	WhoIs(gallery.Place) (gallery.Who, error)
	Subjects() int64
}

// Config is what a Desk is made of. Every field is required, but for those that say what zero does.
type Config struct {
	Gallery  Gallery
	Law      responder.Law
	Rows     *rows.Rows
	Consents responder.Consents
	Offices  consent.Offices // nil for none: then nobody can sign an order
	// Searches bounds how many searches there are; nil counts none. Budgets counts a resolution
	// among the Queries about a person; nil counts none.
	Searches, Budgets responder.Budgets
	// Decoys raises the alarm when a canary is among the candidates, or resolved; nil knows of none.
	Decoys responder.Decoys
	Alarms *alarms.Book // keeps the alarms that are raised; nil has them in the log alone
	// Pace has what is looked up of candidates, with the alarm that one may raise, take a time that does not tell of them; nil
	// has none of it wait.
	Pace *pace.Pace
	// Calibrations and Faces are the responder's.
	Calibrations comparison.Calibrations
	Faces        comparison.Faces
	Candidates   int           // how many handles a search returns at most, 1 to protocol.MaxCandidates
	Life         time.Duration // of a handle
	Within       time.Duration // how long a search may take; 0 is MaxSearch
	Workers      int           // goroutines of a search, at most 256; 0 is half of the processors
	Now          func() time.Time
	Logger       *slog.Logger
}

// MaxSearch is how long a search may take, by default: less than the transport lets a handler.
const MaxSearch = 15 * time.Second

// Desk serves searches and resolutions. It is safe for concurrent use.
type Desk struct {
	cfg     Config
	handles handles
	turn    chan struct{} // has room for the one search that runs
}

var _ responder.Desk = (*Desk)(nil)

// New returns a Desk.
func New(cfg Config) *Desk {
	if cfg.Within == 0 {
		cfg.Within = MaxSearch
	}
	if cfg.Workers == 0 {
		cfg.Workers = min(max(1, runtime.GOMAXPROCS(0)/2), 256)
	}
	return &Desk{cfg: cfg, handles: handles{cfg.Rows}, turn: make(chan struct{}, 1)}
}

// Serve implements responder.Desk.
func (d *Desk) Serve(ctx context.Context, q protocol.Query, key sealing.PrivateKey, asked policy.Request, law policy.Decision) (responder.Served, error) {
	out := responder.Served{Decision: law}
	if q.LegalBasis != vocabulary.CourtOrder && q.LegalBasis != vocabulary.VitalInterest {
		return out, &protocol.Fault{Code: protocol.CodeSearchGround}
	}
	var err error
	if q.Operation == protocol.OperationIdentify {
		err = d.identify(ctx, q, key, asked, &out)
	} else {
		err = d.resolve(ctx, q, key, asked, &out)
	}
	return out, err
}

// permitted is TMG-R-017: the order is for this Query, signed by two officers, and law, which is told so, allows it. It is
// not used yet. It returns what law was asked.
func (d *Desk) permitted(q protocol.Query, order string, want consent.Expectation, asked policy.Request, out *responder.Served) (consent.Consent, policy.Request, error) {
	if order == "" {
		out.Consent = vocabulary.ConsentNone
		return consent.Consent{}, asked, &protocol.Fault{Code: protocol.CodeConsentMissing}
	}
	want.Requester, want.Controller, want.Purpose, want.Now, want.Offices = q.Issuer, q.Audience, q.Purpose, asked.Time, d.cfg.Offices
	c, err := consent.Verify(order, want)
	if err != nil {
		return consent.Consent{}, asked, &protocol.Fault{Code: responder.ConsentCode(err), Err: err}
	}
	out.Consent = string(c.State())
	if c.State() != consent.Exempt || c.Uses != 1 {
		return consent.Consent{}, asked, &protocol.Fault{Code: protocol.CodeSearchGround}
	}
	asked.Modality, asked.Consent = want.Modality, string(c.State())
	return c, asked, d.lawful(asked, out)
}

// lawful is what law says, which out has then.
func (d *Desk) lawful(asked policy.Request, out *responder.Served) error {
	out.Decision = d.cfg.Law.Decide(asked)
	switch {
	case out.Decision.Allowed && out.Decision.AllowsModality(asked.Modality):
		return nil
	case !out.Decision.Allowed && out.Decision.ConsentLacking:
		return &protocol.Fault{Code: protocol.CodeConsentForm}
	}
	return &protocol.Fault{Code: protocol.CodeLaw}
}

// ofClass is asked once it is known which class the person is of.
func ofClass(asked policy.Request, class string) policy.Request {
	asked.SubjectClass, asked.Sealed = class, false
	return asked
}

// watch raises the alarm when somebody who is touched is a canary.
func (d *Desk) watch(ctx context.Context, q protocol.Query, who gallery.Who) error {
	if d.cfg.Decoys == nil || !who.Named() {
		return nil
	}
	touched, err := d.cfg.Decoys.Touched(who.Subject)
	if touched {
		responder.Raise(ctx, d.cfg.Logger, d.cfg.Alarms, alarms.Canary, q, d.cfg.Now())
	}
	return err
}

// Forget removes handles that have expired.
func (d *Desk) Forget(now time.Time) (gone int, err error) { return d.handles.forget(now) }
