package membership

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/membership/internal/rollover"
)

const keeperVersion = 1

// ErrUnknownAnchor: the notice is of a Trust Anchor that is not configured.
var ErrUnknownAnchor = errors.New("not a configured Trust Anchor")

// Keeper holds the newest listing of each Trust Anchor, in memory and in a file. Safe for
// concurrent use.
type Keeper struct {
	file string // immutable after New

	mu      sync.Mutex
	anchors []rollover.Anchor       // guarded by mu
	held    map[trust.EntityID]held // guarded by mu; the file holds the same
	// foreign is what the file holds of Anchors that are not configured now, guarded by mu:
	// one that is configured again later has not lost its numbers and keys meanwhile.
	foreign keeperFile
}

type held struct {
	notice  Notice
	listing Listing
	// believed is false when the Anchor's keys, as they are configured now, did not sign
	// the listing. Its number counts all the same: nothing older comes after it.
	believed bool
}

type keeperFile struct {
	Version int      `json:"version"`
	Rolled  []string `json:"rolled"`
	Notices []Notice `json:"notices"`
}

// NewKeeper opens the keeper of the anchors with the file, empty for none, which it makes
// when there is something to hold. What in it does not verify any more is not believed; a
// file that cannot be read is an error.
func NewKeeper(anchors []trust.Anchor, file string) (*Keeper, error) {
	k := &Keeper{file: file, held: make(map[trust.EntityID]held)}
	for _, a := range anchors {
		k.anchors = append(k.anchors, rollover.Anchor{Anchor: a})
	}
	if file == "" {
		return k, nil
	}
	var f keeperFile
	if found, err := readHeld(file, keeperVersion, &f, &f.Version); err != nil {
		return nil, fmt.Errorf("reading listings: %w", err)
	} else if !found {
		return k, nil
	}
	k.take(f)
	return k, nil
}

// take takes over what the file holds. It was in time when it was written.
func (k *Keeper) take(f keeperFile) {
	for i, a := range k.anchors {
		k.anchors[i] = a.Follow(f.Rolled, forever)
	}
	for _, token := range f.Rolled {
		if s, err := trust.ParseStatement(token); err == nil && k.index(s.Issuer()) < 0 {
			k.foreign.Rolled = append(k.foreign.Rolled, token)
		}
	}
	for _, n := range f.Notices {
		id, err := n.anchorOf()
		if err != nil {
			continue
		}
		i := k.index(id)
		if i < 0 {
			k.foreign.Notices = append(k.foreign.Notices, n)
			continue
		}
		l, err := n.verify(k.anchors[i].Anchor)
		believed := err == nil
		if !believed {
			l, err = n.read(id)
		}
		if err == nil {
			k.held[id] = held{n, l, believed}
		}
	}
}

// forever is later than any statement.
var forever = time.Unix(1<<40, 0)

// index is where among the Anchors one is; less than 0 when it is not configured.
func (k *Keeper) index(id trust.EntityID) int {
	return slices.IndexFunc(k.anchors, func(a rollover.Anchor) bool { return a.EntityID == id })
}

// Anchors returns the Anchors with the keys that they have now. The slice is the caller's.
func (k *Keeper) Anchors() []trust.Anchor {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]trust.Anchor, len(k.anchors))
	for i, a := range k.anchors {
		out[i] = a.Anchor
	}
	return out
}

// Follow takes over changes of an Anchor's keys: Entity Configurations of it, the oldest
// first, each signed with a key known by then. The last of them must hold at now, so that an
// announcement of keys that was let run out is not followed. It returns whether the keys are
// others than before.
func (k *Keeper) Follow(anchor trust.EntityID, tokens []string, now time.Time) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := k.index(anchor)
	if i < 0 {
		return false, ErrUnknownAnchor
	}
	before := k.anchors[i]
	if err := k.followLocked(i, tokens, now); err != nil || k.anchors[i].Last() == before.Last() {
		return false, err
	}
	return !rollover.SameKeys(before.Keys, k.anchors[i].Keys), k.saveLocked()
}

func (k *Keeper) followLocked(i int, tokens []string, now time.Time) error {
	before := k.anchors[i]
	next := before.Follow(tokens, now.Add(clockSkew))
	if !rollover.SameKeys(before.Keys, next.Keys) {
		if s, err := trust.ParseStatement(next.Last()); err != nil || !now.Before(s.ExpiresAt()) {
			return fmt.Errorf("following the keys of a Trust Anchor: the last announcement: %w", trust.ErrExpired)
		}
	}
	if next.Changes() > rollover.Max {
		return errors.New("following the keys of a Trust Anchor: too many changes; give the node the anchor's present trust-anchor.json")
	}
	k.anchors[i] = next
	return nil
}

// Offer takes a notice over when it is of a configured Anchor, in order, and newer than
// what is held; newer says whether its listing was. On an error nothing changes, except that
// one of writing the file leaves the notice in force until the node stops.
func (k *Keeper) Offer(n Notice, now time.Time) (_ Listing, newer bool, err error) {
	if size := len(n.Configuration) + len(n.Listing); size > maxNotice-noticeOverhead {
		return Listing{}, false, fmt.Errorf("taking over listing: with its Entity Configuration it has %d bytes, and members can hand on no more than %d", size, maxNotice-noticeOverhead)
	}
	s, err := trust.ParseStatement(n.Configuration)
	if err != nil {
		return Listing{}, false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	i := k.index(s.Issuer())
	if i < 0 {
		return Listing{}, false, ErrUnknownAnchor
	}
	l, err := n.verify(k.anchors[i].Anchor)
	h, known := k.held[s.Issuer()]
	switch {
	case err != nil && known && h.believed && s.IssuedAt().Before(k.anchors[i].Since) && k.signedBefore(i, n):
		return h.listing, false, nil // of before a key was withdrawn: a member that has not heard
	case err != nil:
		return Listing{}, false, err
	case l.IssuedAt.After(now.Add(clockSkew)), s.IssuedAt().After(now.Add(clockSkew)):
		return Listing{}, false, errors.New("taking over listing: issued in the future; compare the clocks")
	}
	newer = !known || l.after(h.listing, n, h.notice) || k.replaces(i, s, n, h)
	if !newer && (n.Listing != h.notice.Listing || !s.IssuedAt().After(issued(h.notice))) {
		return h.listing, false, nil
	}
	if !now.Before(s.ExpiresAt()) {
		return Listing{}, false, fmt.Errorf("taking over listing: the Trust Anchor's Entity Configuration: %w", trust.ErrExpired)
	}
	if err := k.followLocked(i, []string{n.Configuration}, now); err != nil {
		return Listing{}, false, err
	}
	k.held[l.Anchor] = held{n, l, true}
	return l, newer, k.saveLocked()
}

// signedBefore reports whether a notice is one that the Anchor's Entity Configuration in it
// makes good, by itself.
func (k *Keeper) signedBefore(i int, n Notice) bool {
	a := k.anchors[i].Anchor
	a.Since = time.Time{}
	_, err := n.verify(a)
	return err == nil
}

// replaces reports whether a notice that verifies goes before what is held whatever the
// numbers: the key that signed that is withdrawn in a later Entity Configuration, or it is
// the same, and the Anchor's keys are known again. Who had the key for a time has given his
// listing the greatest number that there is.
func (k *Keeper) replaces(i int, s trust.UnverifiedStatement, n Notice, h held) bool {
	if !h.believed && n.Listing == h.notice.Listing {
		return true
	}
	if !s.IssuedAt().After(issued(h.notice)) || s.IssuedAt().Before(k.anchors[i].Since) {
		return false
	}
	_, err := verifyListing(h.notice.Listing, h.listing.Anchor, s.Keys())
	return err != nil
}

// issued is when the Entity Configuration in a notice was signed.
func issued(n Notice) time.Time {
	s, err := trust.ParseStatement(n.Configuration)
	if err != nil {
		return time.Time{}
	}
	return s.IssuedAt()
}

// after orders two listings of one Anchor. Two with one number can only come from an
// Anchor that signed on two machines at once; then every member has to prefer the same.
func (l Listing) after(other Listing, a, b Notice) bool {
	if l.Sequence != other.Sequence {
		return l.Sequence > other.Sequence
	}
	if a.Listing == b.Listing {
		return false
	}
	if !l.IssuedAt.Equal(other.IssuedAt) {
		return l.IssuedAt.After(other.IssuedAt)
	}
	x, y := sha256.Sum256([]byte(a.Listing)), sha256.Sum256([]byte(b.Listing))
	return bytes.Compare(x[:], y[:]) > 0
}

func (k *Keeper) saveLocked() error {
	if k.file == "" {
		return nil
	}
	f := keeperFile{Version: keeperVersion, Rolled: append([]string{}, k.foreign.Rolled...), Notices: append([]Notice{}, k.foreign.Notices...)}
	for _, a := range k.anchors {
		f.Rolled = append(f.Rolled, a.Tokens()...)
		if h, ok := k.held[a.EntityID]; ok {
			f.Notices = append(f.Notices, h.notice)
		}
	}
	return writeHeld(k.file, f)
}

// Held returns the newest listing of the Anchor with its notice, and whether there is one.
func (k *Keeper) Held(anchor trust.Path) (Listing, Notice, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.held[trust.EntityID(anchor)]
	if !ok || !h.believed {
		return Listing{}, Notice{}, false
	}
	return h.listing, h.notice, true
}

// Listings returns the newest listings, in the order of the anchors.
func (k *Keeper) Listings() []Listing {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Listing
	for _, a := range k.anchors {
		if h, ok := k.held[a.EntityID]; ok && h.believed {
			out = append(out, h.listing)
		}
	}
	return out
}

// Suspended returns the suspension of an Entity that no Anchor lists and at least one has
// suspended. Another may vouch for it all the same, through an Intermediate: who has its
// chains asks the directory, too.
func (k *Keeper) Suspended(id trust.EntityID) (Suspension, bool) {
	var found Suspension
	ok := false
	for _, l := range k.Listings() {
		if slices.Contains(l.Members, id) {
			return Suspension{}, false
		}
		if s, is := l.Suspension(id); is && !ok {
			found, ok = s, true
		}
	}
	return found, ok
}

// Excludes reports whether no Anchor vouches for the Entity itself: all have published a
// listing, and none lists it. It may be a member below an Intermediate.
func (k *Keeper) Excludes(id trust.EntityID) bool {
	all := k.Listings()
	return len(all) == len(k.anchors) && !slices.ContainsFunc(all, func(l Listing) bool { return slices.Contains(l.Members, id) })
}
