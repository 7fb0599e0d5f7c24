package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

const (
	keeperVersion = 1
	maxKeeperFile = 4 << 20
)

// ErrUnknownAnchor: the notice is of a Trust Anchor that is not configured.
var ErrUnknownAnchor = errors.New("not a configured Trust Anchor")

// Keeper holds the newest listing of each Trust Anchor, in memory and in a file. Safe for
// concurrent use.
type Keeper struct {
	configured []trust.Anchor // immutable after New; with the keys from out of band
	file       string         // immutable after New

	mu      sync.Mutex
	anchors []trust.Anchor              // guarded by mu; with the keys that they have now
	rolled  map[trust.EntityID][]string // guarded by mu; the Entity Configurations that changed them
	held    map[trust.EntityID]held     // guarded by mu; the file holds the same
}

type held struct {
	notice  Notice
	listing Listing
}

type keeperFile struct {
	Version int      `json:"version"`
	Rolled  []string `json:"rolled"`
	Notices []Notice `json:"notices"`
}

// NewKeeper opens the keeper of the anchors with the file, empty for none, which it makes
// when there is something to hold. What in it does not verify any more is left out; a file
// that cannot be read is an error.
func NewKeeper(anchors []trust.Anchor, file string) (*Keeper, error) {
	k := &Keeper{configured: anchors, file: file, anchors: slices.Clone(anchors), held: make(map[trust.EntityID]held), rolled: make(map[trust.EntityID][]string)}
	if file == "" {
		return k, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	var f keeperFile
	if err == nil && len(b) > maxKeeperFile {
		err = errors.New("it is too large")
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err == nil && f.Version != keeperVersion {
		err = errors.New("it is not of this version")
	}
	if err != nil {
		return nil, fmt.Errorf("reading listings: %w", err)
	}
	for i, a := range k.anchors {
		k.anchors[i], k.rolled[a.EntityID] = rollover(a, f.Rolled)
	}
	for _, n := range f.Notices {
		// They were in time when they were taken over, and nothing newer is known.
		if l, _, err := k.checkLocked(n); err == nil {
			k.held[l.Anchor] = held{n, l}
		}
	}
	return k, nil
}

// Anchors returns the Anchors with the keys that they have now. The slice is the caller's.
func (k *Keeper) Anchors() []trust.Anchor {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.anchors)
}

// Follow takes over changes of an Anchor's keys: Entity Configurations of it, the oldest
// first, each signed with a key known by then. It returns whether there was one that was new.
func (k *Keeper) Follow(anchor trust.EntityID, tokens []string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed, err := k.followLocked(anchor, tokens)
	if changed {
		err = k.saveLocked()
	}
	return changed, err
}

func (k *Keeper) followLocked(anchor trust.EntityID, tokens []string) (bool, error) {
	i := slices.IndexFunc(k.anchors, func(a trust.Anchor) bool { return a.EntityID == anchor })
	if i < 0 {
		return false, ErrUnknownAnchor
	}
	// What was learnt before comes first: a history that begins later is followed, too.
	next, used := rollover(k.configured[i], append(slices.Clone(k.rolled[anchor]), tokens...))
	if sameKeys(next.Keys, k.anchors[i].Keys) {
		return false, nil
	}
	if len(used) > maxRollover {
		return false, errors.New("following the keys of a Trust Anchor: too many changes; give the node the anchor's present trust-anchor.json")
	}
	k.anchors[i], k.rolled[anchor] = next, used
	return true, nil
}

// checkLocked verifies a notice but for its times, and returns which Anchor it is of.
func (k *Keeper) checkLocked(n Notice) (Listing, int, error) {
	id, err := n.anchorOf()
	if err != nil {
		return Listing{}, 0, err
	}
	i := slices.IndexFunc(k.anchors, func(a trust.Anchor) bool { return a.EntityID == id })
	if i < 0 {
		return Listing{}, 0, ErrUnknownAnchor
	}
	l, err := n.verify(k.anchors[i])
	return l, i, err
}

// Offer takes a notice over when it is of a configured Anchor, in order, and newer than
// what is held; newer says whether its listing was. On an error nothing changes, except that
// one of writing the file leaves the notice in force until the node stops.
func (k *Keeper) Offer(n Notice, now time.Time) (_ Listing, newer bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, _, err := k.checkLocked(n)
	if err != nil {
		return Listing{}, false, err
	}
	s, err := trust.ParseStatement(n.Configuration)
	if err != nil {
		return Listing{}, false, err
	}
	if l.IssuedAt.After(now.Add(clockSkew)) || s.IssuedAt().After(now.Add(clockSkew)) {
		return Listing{}, false, errors.New("taking over listing: issued in the future; compare the clocks")
	}
	h, known := k.held[l.Anchor]
	if known && s.IssuedAt().Before(issued(h.notice)) {
		// An earlier one may name a key that the Trust Anchor has withdrawn since.
		return h.listing, false, nil
	}
	newer = !known || l.after(h.listing, n, h.notice)
	if !newer && !(l.Sequence == h.listing.Sequence && n.Listing == h.notice.Listing && s.IssuedAt().After(issued(h.notice))) {
		return h.listing, false, nil
	}
	if !now.Before(s.ExpiresAt()) {
		return Listing{}, false, fmt.Errorf("taking over listing: the Trust Anchor's Entity Configuration: %w", trust.ErrExpired)
	}
	if _, err := k.followLocked(l.Anchor, []string{n.Configuration}); err != nil {
		return Listing{}, false, err
	}
	k.held[l.Anchor] = held{n, l}
	return l, newer, k.saveLocked()
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
	f := keeperFile{Version: keeperVersion, Rolled: []string{}, Notices: []Notice{}}
	for _, a := range k.anchors {
		f.Rolled = append(f.Rolled, k.rolled[a.EntityID]...)
		if h, ok := k.held[a.EntityID]; ok {
			f.Notices = append(f.Notices, h.notice)
		}
	}
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("keeping listing: %w", err)
	}
	return replace(k.file, b)
}

// Held returns the newest listing of the Anchor with its notice, and whether there is one.
func (k *Keeper) Held(anchor trust.EntityID) (Listing, Notice, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.held[anchor]
	return h.listing, h.notice, ok
}

// Listings returns the newest listings, in the order of the anchors.
func (k *Keeper) Listings() []Listing {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Listing
	for _, a := range k.anchors {
		if h, ok := k.held[a.EntityID]; ok {
			out = append(out, h.listing)
		}
	}
	return out
}

// Suspended returns the suspension of an Entity that no Anchor vouches for and at least
// one has suspended.
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
