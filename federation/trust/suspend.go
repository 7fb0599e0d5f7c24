package trust

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
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
// [ErrNotMember] or [ErrSuspended].
func (a *Authority) Suspend(id EntityID, reason string) error {
	if reason != "" && !isPrintable(reason, maxReason) {
		return fmt.Errorf("suspending %q: the reason is not printable ASCII of at most %d characters", clip(string(id)), maxReason)
	}
	return a.change("suspending", id, func(e *Enrolment) error {
		if !e.Suspended.IsZero() {
			return ErrSuspended
		}
		e.Suspended, e.Reason = a.cfg.Clock().UTC().Truncate(time.Second), reason
		return nil
	})
}

// Reinstate ends a suspension; durable on return. The error matches [ErrNotMember] or
// [ErrNotSuspended].
func (a *Authority) Reinstate(id EntityID) error {
	return a.change("reinstating", id, func(e *Enrolment) error {
		if e.Suspended.IsZero() {
			return ErrNotSuspended
		}
		e.Suspended, e.Reason = time.Time{}, ""
		return nil
	})
}

// change edits a stored enrolment.
func (a *Authority) change(doing string, id EntityID, edit func(*Enrolment) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.members[id]
	err := error(ErrNotMember)
	var e Enrolment
	if ok {
		e = m.Enrolment
		err = edit(&e)
	}
	if err == nil {
		err = a.store.save(e)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", doing, clip(string(id)), err)
	}
	a.members[id] = &member{Enrolment: e}
	return nil
}

// active reports whether the authority vouches for the member; nil is none.
func (m *member) active() bool { return m != nil && m.Suspended.IsZero() }

// active returns the members that the authority vouches for, in order.
func (a *Authority) active() []EntityID {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []EntityID
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
	Expired []EntityID
	// Until is when the first of the chains runs out; zero when there is none.
	Until time.Time
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
		token, err := signResolve(a.cfg.Key, a.cfg.EntityID, c, nil, now)
		if err != nil {
			return Publication{}, fmt.Errorf("publishing: %w", err)
		}
		p.Resolved = append(p.Resolved, token)
		if p.Until.IsZero() || c.ExpiresAt.Before(p.Until) {
			p.Until = c.ExpiresAt
		}
	}
	return p, nil
}

// Retain makes the directory believe in no other members of the Anchor than ids, at once
// and until it is told others: what the Anchor says of its members by a way faster than
// the next [Directory.Refresh], which cannot bring back who is not among them. It neither
// fetches nor waits, and returns which members are believed in no longer.
func (d *Directory) Retain(anchor EntityID, ids []EntityID) []EntityID {
	d.retaining.Lock()
	defer d.retaining.Unlock()
	next := map[EntityID]map[EntityID]bool{}
	if old := d.retained.Load(); old != nil {
		maps.Copy(next, *old)
	}
	set := make(map[EntityID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	var dropped []EntityID
	for _, e := range d.snapshot.Load().ordered {
		if e.anchor == anchor && d.vouched(e) && !set[e.node.EntityID] {
			dropped = append(dropped, e.node.EntityID)
		}
	}
	next[anchor] = set
	d.retained.Store(&next)
	return dropped
}

// vouched reports whether the member's Anchor, as far as Retain was told, vouches for it.
func (d *Directory) vouched(e *entry) bool {
	all := d.retained.Load()
	if all == nil {
		return true
	}
	set, told := (*all)[e.anchor]
	return !told || set[e.node.EntityID]
}
