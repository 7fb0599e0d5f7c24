// Package holding ties people in the gallery to the consents by which alone they are held:
// what carried an enrolment, and what becomes of it when that is withdrawn.
//
// [Grounds.Enrol] verifies the artefacts that enrolments bring before they are stored, and
// [Grounds.EraseOwed] erases whom withdrawals leave nothing to be held by.
//
// An artefact that carries an enrolment is a consent (credentials/consent) in which the
// register's node is both requester and controller, for a purpose of the vocabulary and all
// modalities that are enrolled. It has to be valid when the person is enrolled; the person
// is held until it is withdrawn. Two officers' exemption carries no enrolment: who is
// enrolled without consent is so on another ground, and brings none.
//
// Invariants:
//
//   - nobody is enrolled by a consent that does not verify, or is known to be withdrawn;
//   - from the moment that a withdrawal stands nobody is stored by it any more, on any node of
//     the store, and the person is owed the erasure: it is tried until it was done, across
//     restarts.
//
// A consent with the person's own key says nothing of whom it is about: it is of whoever has that
// key, which the record names. So who enrols can make one up, as they can bring none; and one may
// hold several, as a person is under each of several numbers, all of whom it takes with it.
package holding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Grounds is what a node holds people by. Its fields are required, Offices may be empty, and
// may not be changed; it is safe for concurrent use.
type Grounds struct {
	Entity  string // the node's Entity Identifier
	Offices consent.Offices
	Book    *consents.Book
	Now     func() time.Time
}

// Enrol has do take those of a batch whose consents verify, or that bring none, and returns
// the results of all. The Err of another is an [enrol.RuleError] of the member consent.
func (g *Grounds) Enrol(batch []gallery.Enrolment, do func([]gallery.Enrolment) ([]gallery.Result, error)) ([]gallery.Result, error) {
	results := make([]gallery.Result, len(batch))
	good, places := make([]gallery.Enrolment, 0, len(batch)), make([]int, 0, len(batch))
	for i, e := range batch {
		e.Consent, e.Ground = [32]byte{}, gallery.Ground{}
		if e.Artefact != "" {
			c, err := g.verify(e)
			if err != nil {
				results[i] = gallery.Result{Change: gallery.Failed, Err: err}
				continue
			}
			e.Consent, e.Ground = c.Key(), g.ground(c)
		}
		good, places = append(good, e), append(places, i)
	}
	done, err := do(good)
	if err == nil && len(done) != len(good) {
		err = errors.New("enrolling: not every enrolment has a result")
	}
	for i, r := range done {
		results[places[i]] = r
	}
	return results, err
}

func broken(rule string) error {
	return &enrol.RuleError{Code: protocol.CodeRecord, Member: "consent", Rule: rule}
}

// ground has an enrolment by c end when c is withdrawn before it is stored.
func (g *Grounds) ground(c consent.Consent) gallery.Ground {
	return gallery.Ground{Reads: g.Book.HoldsReads(c), Holds: func(txn store.Reader) error {
		err := g.Book.Holds(txn, c)
		switch {
		case errors.Is(err, consents.ErrWithdrawn):
			return broken("was withdrawn")
		case errors.Is(err, consents.ErrForgotten):
			return broken("may have been withdrawn: the clock is behind one that it had expired by")
		}
		return err
	}}
}

// verify returns the consent that an enrolment brings, or the rule that it breaks.
func (g *Grounds) verify(e gallery.Enrolment) (c consent.Consent, err error) {
	u, err := consent.Parse(e.Artefact)
	if err != nil {
		return c, broken("is no consent: a compact JWS that the person or an office signed")
	}
	purpose := u.Claimed().Purpose
	if !slices.Contains(vocabulary.Purposes(), purpose) {
		return c, broken("is for a purpose that the vocabulary does not have")
	}
	want := consent.Expectation{HolderThumbprint: e.Holder, Subject: e.Subject, Requester: g.Entity, Controller: g.Entity,
		Purpose: purpose, Now: g.Now(), Offices: g.Offices}
	for _, modality := range modalities(e) {
		want.Modality = modality
		if c, err = consent.Verify(e.Artefact, want); err != nil {
			return c, broken(rule(err))
		}
	}
	switch c.State() {
	case consent.Holder, consent.Attested:
		return c, nil
	case consent.Exempt:
		return c, broken("is an exemption: who is enrolled without consent is held on another ground, and brings none")
	}
	return c, broken("covers nothing: the record has no modality")
}

// modalities are those of a record, each once: a signature is verified for each.
func modalities(e gallery.Enrolment) (out []string) {
	for _, t := range e.Templates {
		out = append(out, t.Modality)
	}
	for _, a := range e.Absences {
		out = append(out, a.Modality)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rule says what is wrong with a consent and nothing of what it says.
func rule(err error) string {
	for _, known := range []struct {
		err  error
		rule string
	}{
		{consent.ErrHolder, "is of another person: it must be signed with the holder key of the record, or be about its subject"},
		{consent.ErrSignature, "has a signature that does not verify"},
		{consent.ErrOffice, "is of an office that this node does not let attest (policy.offices)"},
		{consent.ErrSecondOfficer, "is an order without a second officer"},
		{consent.ErrAudience, "names another requester: it must be this node"},
		{consent.ErrController, "names another controller: it must be this node"},
		{consent.ErrModality, "does not cover every modality of the record"},
		{consent.ErrNotYet, "is not valid yet"},
		{consent.ErrExpired, "has expired"},
	} {
		if errors.Is(err, known.err) {
			return known.rule
		}
	}
	return "is not well-formed"
}

// Eraser is a gallery, and erases each after saying so in the ledger.
type Eraser interface {
	EraseHeldBy(ctx context.Context, consent [32]byte) (subjects int, err error)
}

// EraseOwed erases whom withdrawn consents held, and returns how many that were. That one
// erasure fails keeps no other from being tried.
func (g *Grounds) EraseOwed(ctx context.Context, from Eraser) (subjects int, err error) {
	owed, err := g.Book.Owed()
	for _, o := range owed {
		n, failed := from.EraseHeldBy(ctx, o.Consent)
		subjects += n
		if failed == nil {
			failed = g.Book.Settled(o)
		}
		if failed != nil && err == nil { // one stands for all
			err = failed
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return subjects, fmt.Errorf("erasing whom withdrawn consents held: %w", err)
	}
	return subjects, nil
}
