package membership

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	belowVersion = 1
	// maxBelow and maxBelowSize bound the Intermediates below one member of an Anchor whose
	// listings are kept, and the bytes of their notices: an Intermediate can make as many
	// others as it likes, and takes no room of those who are not below it.
	maxBelow     = 64
	maxBelowSize = 1 << 20
	// hearEvery is how often what an Intermediate says is taken over from members for long, and
	// hearAhead how many listings at once: each is written to the file. Members hand on no more.
	hearEvery = 5 * time.Second
	hearAhead = 8
	// topEvery and topAhead are the same for all Intermediates below one member of an Anchor.
	topEvery = time.Second
	topAhead = 32
)

var (
	// ErrNotSuperior: the notice is of nobody through whom a chain may lead.
	ErrNotSuperior = errors.New("not an Intermediate of this federation")
	// ErrCrowded: too many Intermediates below one member of a Trust Anchor have listings.
	ErrCrowded = errors.New("too many listings below one member of a Trust Anchor")
)

// Below holds the newest listing of each Intermediate, by its path, in memory and in a file: what a
// national authority, or a country's node, says of those below it. Such a listing is believed
// under the keys that the Intermediate's own superiors vouch for, by a Trust Chain that holds
// when it is heard, and it is about nobody but those below the Intermediate. Safe for
// concurrent use.
type Below struct {
	file    string                // immutable after New
	anchors func() []trust.Anchor // immutable after New

	mu   sync.Mutex
	held map[trust.Path]told          // guarded by mu; the file holds the same, but for later statements
	tops map[trust.EntityID]time.Time // guarded by mu; as told.next, for all below one member of an Anchor
}

// ErrOften: the Intermediate has said more of late than is taken over.
var ErrOften = errors.New("too many listings of one Intermediate in a short time")

// told is what an Intermediate said last.
type told struct {
	notice  Notice
	listing Listing
	under   standing
	// believed is false when what the file holds does not verify any more. Its number counts
	// all the same.
	believed bool
	next     time.Time // when hearEvery is over for all that were heard; see Hear
}

// standing is what makes an Intermediate's listing good.
type standing struct {
	keys jose.KeySet
	// entity and vouched are when it made its Entity Configuration, and its superior the
	// statement about it.
	entity, vouched time.Time
	until           time.Time
	top             trust.EntityID // the member of the Anchor that it is, or is below
}

type belowFile struct {
	Version int      `json:"version"`
	Notices []Notice `json:"notices"`
}

// NewBelow opens what is held in the file, empty for none. anchors are the Trust Anchors
// with the keys that they have when it is called.
func NewBelow(anchors func() []trust.Anchor, file string) (*Below, error) {
	b := &Below{file: file, anchors: anchors, held: make(map[trust.Path]told), tops: make(map[trust.EntityID]time.Time)}
	if file == "" {
		return b, nil
	}
	var f belowFile
	if found, err := readHeld(file, belowVersion, &f, &f.Version); err != nil {
		return nil, fmt.Errorf("reading listings of Intermediates: %w", err)
	} else if !found {
		return b, nil
	}
	for _, n := range f.Notices {
		at, err := n.path()
		if err != nil {
			continue
		}
		id, _ := n.anchorOf()
		t := told{notice: n, believed: true}
		chain, err := trust.VerifyUndated(n.chain(), anchors()) // it was in time when it was written
		if err == nil {
			t.under, err = standingOf(chain)
		}
		if err == nil {
			t.listing, err = verifyListing(n.Listing, id, t.under.keys)
		}
		if err != nil {
			t.believed = false
			t.listing, err = n.read(id)
		}
		if err == nil {
			t.listing.Path = at
			b.held[at] = t
		}
	}
	return b, nil
}

// chain is the Intermediate's Trust Chain in its notice.
func (n Notice) chain() []string { return append([]string{n.Configuration}, n.Statements...) }

// standingOf reads what a verified chain says of the Intermediate that it ends with. A key
// is good when the Intermediate announces it, and its superior vouches for it.
func standingOf(c trust.Chain) (standing, error) {
	statements := c.Statements()
	own, err := trust.ParseStatement(statements[0])
	if err != nil {
		return standing{}, err
	}
	about, err := trust.ParseStatement(statements[1])
	if err != nil {
		return standing{}, err
	}
	s := standing{keys: common(c.JWKS, own.Keys()), entity: own.IssuedAt(), vouched: about.IssuedAt(), until: c.ExpiresAt, top: c.Leaf}
	if n := len(c.Superiors); n > 1 {
		s.top = c.Superiors[n-2]
	}
	return s, nil
}

// common are the keys in both sets.
func common(a, b jose.KeySet) jose.KeySet {
	var out []jose.PublicKey
	for _, k := range a.Keys() {
		if other, ok := b.Key(k.KeyID()); ok && other.Equal(k) {
			out = append(out, k)
		}
	}
	return jose.NewKeySet(out...)
}

// Offer takes a notice over when it is of an Intermediate, by a chain that holds at now, in
// order, and newer than what is held; newer says whether its listing was. The same listing
// under later statements is kept in memory, so that it can be handed on. On an error nothing
// changes, except that one of writing the file leaves the notice in force until the node
// stops.
func (b *Below) Offer(n Notice, now time.Time) (_ Listing, newer bool, err error) {
	return b.offer(n, now, false)
}

// Hear is [Below.Offer] of what a member sent, which is no more often than members hand on: an
// Intermediate that signs without end has nobody write without end. The error matches [ErrOften].
func (b *Below) Hear(n Notice, now time.Time) (_ Listing, newer bool, err error) {
	return b.offer(n, now, true)
}

func (b *Below) offer(n Notice, now time.Time, heard bool) (_ Listing, newer bool, err error) {
	if size := n.size(); size > maxNotice-noticeOverhead {
		return Listing{}, false, fmt.Errorf("taking over listing: with its Trust Chain it has %d bytes, and members can hand on no more than %d", size, maxNotice-noticeOverhead)
	}
	at, err := n.path()
	if err != nil {
		return Listing{}, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h, known := b.held[at]
	if known && h.believed && h.notice.same(n) {
		return h.listing, false, nil
	}
	under, err := b.standing(n, now)
	if err != nil {
		return Listing{}, false, err
	}
	keys := under.keys
	if known && h.believed && (under.entity.Before(h.under.entity) || under.vouched.Before(h.under.vouched)) {
		// Who has a key that was withdrawn since may still have statements that name it.
		keys = common(keys, h.under.keys)
	}
	id, _ := n.anchorOf()
	l, err := verifyListing(n.Listing, id, keys)
	if err != nil {
		return Listing{}, false, err
	}
	l.Path = at
	if l.IssuedAt.After(now.Add(clockSkew)) {
		return Listing{}, false, errors.New("taking over listing: issued in the future; compare the clocks")
	}
	newer = !known || l.after(h.listing, n, h.notice) || b.replaces(under, n, h)
	if !newer {
		if h.believed && n.Listing == h.notice.Listing && under.until.After(h.under.until) {
			h.notice, h.under = n, under
			b.held[at] = h
		}
		return h.listing, false, nil
	}
	if err := b.roomLocked(at, under.top, n.size()); err != nil {
		return Listing{}, false, err
	}
	next := h.next
	if heard {
		top, ok := turn(b.tops[under.top], now, topEvery, topAhead)
		if next, heard = turn(next, now, hearEvery, hearAhead); !heard || !ok {
			return Listing{}, false, fmt.Errorf("taking over listing: %w", ErrOften)
		}
		b.tops[under.top] = top
	}
	b.held[at] = told{n, l, under, true, next}
	return l, true, b.saveLocked()
}

// turn takes the next of the turns of which there is one in every, and ahead at once, after those until
// next were taken. False means that it is not due.
func turn(next, now time.Time, every time.Duration, ahead int) (time.Time, bool) {
	most := time.Duration(ahead) * every
	if next.Before(now) || next.Sub(now) > most { // or the clock was put back
		next = now
	}
	next = next.Add(every)
	return next, next.Sub(now) <= most
}

// standing verifies the Intermediate's chain.
func (b *Below) standing(n Notice, now time.Time) (standing, error) {
	anchors := b.anchors()
	c, err := trust.VerifyChain(n.chain(), anchors, now)
	if err != nil {
		return standing{}, fmt.Errorf("taking over listing: %w", err)
	}
	if !c.Superior || slices.ContainsFunc(anchors, func(a trust.Anchor) bool { return a.EntityID == c.Leaf }) {
		return standing{}, fmt.Errorf("taking over listing: %w", ErrNotSuperior)
	}
	return standingOf(c)
}

// replaces reports whether a notice that verifies goes before what is held whatever the
// numbers: see [Keeper.Offer], where the same is so of a Trust Anchor.
func (b *Below) replaces(under standing, n Notice, h told) bool {
	if !h.believed && n.Listing == h.notice.Listing {
		return true
	}
	if !under.vouched.After(h.under.vouched) || under.entity.Before(h.under.entity) {
		return false
	}
	_, err := verifyListing(h.notice.Listing, h.listing.Anchor, under.keys)
	return err != nil
}

// roomLocked keeps those below one member of an Anchor within bounds.
func (b *Below) roomLocked(at trust.Path, top trust.EntityID, size int) error {
	count := 1
	for other, h := range b.held {
		if other != at && h.under.top == top {
			count++
			size += h.notice.size()
		}
	}
	if count > maxBelow || size > maxBelowSize {
		return fmt.Errorf("taking over listing: %w", ErrCrowded)
	}
	return nil
}

func (n Notice) size() int {
	size := len(n.Configuration) + len(n.Listing)
	for _, s := range n.Statements {
		size += 5 + len(s)
	}
	return size
}

func (n Notice) same(other Notice) bool {
	return n.Configuration == other.Configuration && n.Listing == other.Listing && slices.Equal(n.Statements, other.Statements)
}

func (b *Below) saveLocked() error {
	if b.file == "" {
		return nil
	}
	f := belowFile{Version: belowVersion, Notices: []Notice{}}
	for _, h := range b.held {
		f.Notices = append(f.Notices, h.notice)
	}
	return writeHeld(b.file, f)
}

// Held returns the newest listing of the Intermediate with its notice, and whether there is one.
func (b *Below) Held(at trust.Path) (Listing, Notice, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.held[at]
	if !ok || !h.believed {
		return Listing{}, Notice{}, false
	}
	return h.listing, h.notice, true
}

// Listings returns the newest listings, by Intermediate.
func (b *Below) Listings() []Listing {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Listing
	for _, h := range b.held {
		if h.believed {
			out = append(out, h.listing)
		}
	}
	slices.SortFunc(out, func(x, y Listing) int { return cmp.Compare(x.Path, y.Path) })
	return out
}

// Forget drops what was held of those who are Intermediates no longer.
func (b *Below) Forget(is func(trust.Path) bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.held)
	for at := range b.held {
		if !is(at) {
			delete(b.held, at)
		}
	}
	if len(b.held) == before {
		return nil
	}
	return b.saveLocked()
}
