package authority

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// maxReason bounds what an operator gives as the reason of a suspension.
const maxReason = 200

var (
	// ErrSuspended: the member is suspended already.
	ErrSuspended = errors.New("the member is suspended already")
	// ErrNotSuspended: the member is not suspended.
	ErrNotSuspended = errors.New("the member is not suspended")
)

// Suspend makes the authority vouch for a member no longer, until it is reinstated;
// durable on return. What was pinned stays the member's: nobody else can be enrolled
// with its jurisdiction or peer ID. The reason, printable ASCII of at most 200
// characters and perhaps empty, is shown to every member. The error matches
// [trust.ErrNotMember] or [ErrSuspended].
func (a *Authority) Suspend(id trust.EntityID, reason string) error {
	if reason != "" && !trust.IsPrintable(reason, maxReason) {
		return fmt.Errorf("suspending %q: the reason is not printable ASCII of at most %d characters", id.Clip(), maxReason)
	}
	return a.change("suspending", id, func(e *Enrolment) error {
		if !e.Suspended.IsZero() {
			return ErrSuspended
		}
		e.Suspended, e.Reason = a.cfg.Clock().UTC().Truncate(time.Second), reason
		return nil
	})
}

// Reinstate ends a suspension; durable on return. The error matches [trust.ErrNotMember] or
// [ErrNotSuspended].
func (a *Authority) Reinstate(id trust.EntityID) error {
	return a.change("reinstating", id, func(e *Enrolment) error {
		if e.Suspended.IsZero() {
			return ErrNotSuspended
		}
		e.Suspended, e.Reason = time.Time{}, ""
		return nil
	})
}

// change edits a stored enrolment.
func (a *Authority) change(doing string, id trust.EntityID, edit func(*Enrolment) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.members[id]
	err := error(trust.ErrNotMember)
	var e Enrolment
	if ok {
		e = m.Enrolment
		err = edit(&e)
	}
	if err == nil {
		err = a.checkLocked(e)
	}
	if err == nil {
		err = save(a.store, enrolments, e)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", doing, id.Clip(), err)
	}
	a.members[id] = &member{Enrolment: e}
	return nil
}

// active reports whether the authority vouches for the member; nil is none.
func (m *member) active() bool { return m != nil && m.Suspended.IsZero() }

// active returns the members that the authority vouches for, in order.
func (a *Authority) active() []trust.EntityID {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []trust.EntityID
	for _, id := range slices.Sorted(maps.Keys(a.members)) {
		if a.members[id].active() {
			ids = append(ids, id)
		}
	}
	return ids
}

// Publication is all that an authority has signed, for those who cannot ask it.
type Publication struct {
	// Configuration is the authority's own Entity Configuration.
	Configuration string
	// Resolved holds one resolve response (section 8.3.2) for each member that the
	// authority vouches for, with the member's Trust Chain in it.
	Resolved []string
	// Expired are the members that nobody can verify, because the Entity Configuration
	// that the authority holds of them has run out.
	Expired []trust.EntityID
	// Until is when the first of the chains runs out; zero when there is none.
	Until time.Time
	// Historical is the historical keys response (section 8.7).
	Historical string
	// Statuses holds a status response (section 8.4.2) for each Trust Mark that was issued
	// and is known: the last of each type that an Entity got, and what members show.
	Statuses []string
}

// Configuration is the authority's own Entity Configuration.
func (a *Authority) Configuration() (string, error) { return a.publisher.Token() }

// Publish signs resolve responses about all members.
func (a *Authority) Publish() (Publication, error) {
	var p Publication
	var err error
	if p.Configuration, err = a.publisher.Token(); err != nil {
		return Publication{}, fmt.Errorf("publishing: %w", err)
	}
	now := a.cfg.Clock()
	for _, id := range a.active() {
		a.mu.Lock()
		m := a.members[id]
		a.mu.Unlock()
		if !m.active() {
			continue
		}
		c, err := a.chain(m.Enrolment, now)
		if err != nil {
			p.Expired = append(p.Expired, id)
			continue
		}
		token, err := trust.SignResolve(a.cfg.Key, a.cfg.EntityID, c, nil, now)
		if err != nil {
			return Publication{}, fmt.Errorf("publishing: %w", err)
		}
		p.Resolved = append(p.Resolved, token)
		if p.Until.IsZero() || c.ExpiresAt.Before(p.Until) {
			p.Until = c.ExpiresAt
		}
	}
	former := a.publisher.Answer(endpoint.Request{Operation: endpoint.HistoricalKeys})
	if former.Code != "" {
		return Publication{}, errors.New("publishing: the historical keys could not be signed")
	}
	p.Historical = former.Body
	p.Statuses, err = a.statuses(now)
	return p, err
}

// Resign signs every enrolment anew with the present key, so that files signed with
// another are not needed any more; each is durable when it is done.
func (a *Authority) Resign() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, m := range a.members {
		if err := save(a.store, enrolments, m.Enrolment); err != nil {
			return fmt.Errorf("signing enrolment of %q anew: %w", id.Clip(), err)
		}
	}
	return nil
}
