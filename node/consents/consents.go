// Package consents remembers how often each consent was used and which were withdrawn
// (PROTOCOL.md section 8), durably and for all nodes that share a store.
//
// [New], then [Book.Use] before a comparison is made on the ground of an artefact that was
// verified, and [Book.Withdraw] when a withdrawal was. [Book.Outstanding] are the withdrawals
// that somebody has yet to be told, [Book.Told] that they were.
//
// Invariants:
//
//   - a Use that returned nil is one of the artefact's uses, and is counted for ever, or
//     until the artefact expires: across a restart, a kill, and replicas;
//   - once Withdraw returned nil no Use of that artefact does;
//   - a Use that failed may have been counted; it never permits;
//   - no clock, forward or back, has a consent be used again that was used or withdrawn.
//
// Who can write to the store can take rows away, and so have a consent used again; both
// uses are in the ledger. A withdrawal stands: it is in a list outside of the store, too. What is remembered names nobody: rows lie under keyed hashes.
package consents

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/rows/outside"
)

// Why an artefact permits nothing any more. Every other error says that it cannot be told.
var (
	ErrUsed      = errors.New("the consent was used as often as it allows")
	ErrWithdrawn = errors.New("the consent was withdrawn")
	ErrForgotten = errors.New("whether the consent was used or withdrawn is forgotten: the clock is behind one that it had run out by")
)

// Book is what is remembered. It is safe for concurrent use.
type Book struct {
	rows *rows.Rows
	list *outside.List
}

// New opens the book in rows, with the list of withdrawals outside of them, nil for none:
// see [Book.Agree].
func New(r *rows.Rows, list *outside.List) *Book { return &Book{r, list} }

// listed reports whether the withdrawal of an artefact is known from the list.
func (b *Book) listed(key [32]byte) bool { return b.list.Has(b.rows.Key(rows.Consents, key[:])) }

// entry is the row of an artefact:
//
//	%x01 expiry (8, seconds) uses (4) withdrawn (1)
type entry struct {
	expires   int64
	uses      uint32
	withdrawn bool
}

const entrySize = 14

func (e entry) bytes() []byte {
	b := binary.BigEndian.AppendUint64([]byte{1}, uint64(e.expires))
	b = binary.BigEndian.AppendUint32(b, e.uses)
	if e.withdrawn {
		return append(b, 1)
	}
	return append(b, 0)
}

var errEntry = errors.New("a row of the book of consents is not what it should be")

func parseEntry(b []byte) (entry, error) {
	if len(b) != entrySize || b[0] != 1 || b[entrySize-1] > 1 {
		return entry{}, errEntry
	}
	return entry{int64(binary.BigEndian.Uint64(b[1:])), binary.BigEndian.Uint32(b[9:]), b[entrySize-1] == 1}, nil
}

func find(r rows.Reader, key [32]byte) (entry, error) {
	b, err := r.Get(rows.Consents, key[:])
	if errors.Is(err, rows.ErrNone) {
		return entry{}, nil
	}
	if err != nil {
		return entry{}, err
	}
	return parseEntry(b)
}

// Use counts one use of c, of which c.Uses are allowed. [ErrUsed], [ErrWithdrawn] and
// [ErrForgotten] say that it permits nothing any more.
func (b *Book) Use(c consent.Consent) error {
	key := c.Key()
	if b.listed(key) {
		return fmt.Errorf("using consent: %w", ErrWithdrawn)
	}
	err := b.rows.Update(func(t rows.Txn) error {
		e, err := find(t.Reader, key)
		if err != nil {
			return err
		}
		if err := remembered(t.Reader, c); err != nil {
			return err
		}
		switch {
		case e.withdrawn:
			return ErrWithdrawn
		case e.uses >= uint32(max(c.Uses, 0)): // of a Consent that says nothing none
			return ErrUsed
		}
		e.uses++
		// Never earlier than before: an issuer may have signed one id twice.
		e.expires = max(e.expires, c.ExpiresAt.Unix())
		t.Set(rows.Consents, key[:], e.bytes())
		return nil
	})
	if err != nil {
		return fmt.Errorf("using consent: %w", err)
	}
	return nil
}

// floor is where the row lies of the latest expiry of what was forgotten. A clock that went forward, and had
// it forgotten, and came back would have what was used or withdrawn permit again. What was not used, but
// expires earlier than that, permits nothing either: for consent.MaxLifetime at most.
var floor = [32]byte{'f', 'l', 'o', 'o', 'r'}

// Holds is nil as long as somebody may be enrolled by c, of which one entity is both sides, as
// the reader shows it. [ErrWithdrawn] and [ErrForgotten] say that nobody may any more.
func (b *Book) Holds(txn store.Reader, c consent.Consent) error {
	key := ownKey(c.Key())
	if b.listed(key) {
		return ErrWithdrawn
	}
	r := b.rows.In(txn)
	e, err := find(r, key)
	if err == nil && e.withdrawn {
		return ErrWithdrawn
	}
	if err == nil {
		err = remembered(r, c)
	}
	if err != nil {
		return fmt.Errorf("looking for a withdrawal: %w", err)
	}
	return nil
}

// HoldsReads is where the rows lie that Holds reads.
func (b *Book) HoldsReads(c consent.Consent) [][]byte {
	key := ownKey(c.Key())
	at, forgotten := b.rows.Key(rows.Consents, key[:]), b.rows.Key(rows.Consents, floor[:])
	return [][]byte{at[:], forgotten[:]}
}

// WithdrawnOwn reports whether the artefact of a key was, of which one entity is both sides.
func (b *Book) WithdrawnOwn(key [32]byte) (bool, error) { return b.Withdrawn(ownKey(key)) }

// remembered is nil when what became of c cannot have been forgotten.
func remembered(r rows.Reader, c consent.Consent) error {
	forgotten, err := find(r, floor)
	if err == nil && forgotten.expires > 0 && c.ExpiresAt.Unix() <= forgotten.expires {
		err = ErrForgotten
	}
	return err
}

// Withdrawn reports whether the artefact of a key was, between two entities.
func (b *Book) Withdrawn(key [32]byte) (is bool, err error) {
	if b.listed(key) {
		return true, nil
	}
	err = b.rows.View(func(r rows.Reader) error {
		e, err := find(r, key)
		is = e.withdrawn
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking for a withdrawal: %w", err)
	}
	return is, nil
}

// MaxOutstanding bounds how many withdrawals wait to be handed on: a flood of them, which
// everybody with a key can sign, must not fill the store.
const MaxOutstanding = 10_000

// ErrFull: no more withdrawals are taken to be handed on.
var ErrFull = errors.New("too many withdrawals wait to be handed on")

// Withdraw remembers a withdrawal, of which token is the artefact; it reports whether it is
// new. It is handed on to the given entities, of one that is known again: see Outstanding.
// When one entity is both of its sides, whom the consent held is owed the erasure, also when it
// is known: see Owed. With [ErrFull] it stands all the same and is not handed on: nobody who fills that
// list keeps a person from withdrawing.
func (b *Book) Withdraw(w consent.Withdrawal, token string, to ...string) (fresh bool, err error) {
	if w.Requester == w.Controller { // nobody asks himself: it is what a person was enrolled by
		return b.withdraw(ownKey(w.Key()), w, token)
	}
	return b.withdraw(w.Key(), w, token, to...)
}

// ownKey is the key of an artefact that one entity is both sides of. What another member hands on
// is never of one, so that nothing it brings, of whatever artefact of the same id, has anybody
// erased who was enrolled by it.
func ownKey(key [32]byte) [32]byte {
	return sha256.Sum256(append([]byte("tamga/v1/consent-withdrawn-own\x00"), key[:]...))
}

// Hear remembers the word of the artefact's controller that it was withdrawn, which nobody
// here can verify: nothing is asked of that controller on it, see [Book.Heard]. It is not
// withdrawn for anybody else, and nobody is owed anything.
func (b *Book) Hear(w consent.Withdrawal, token string) error {
	_, err := b.withdraw(onWord(w.Key(), w.Controller), w, token)
	return err
}

// onWord is the key of an artefact that was withdrawn by a controller's word.
func onWord(key [32]byte, controller string) [32]byte {
	return sha256.Sum256(slices.Concat([]byte("tamga/v1/consent-withdrawn-on-word\x00"), key[:], []byte(controller)))
}

// Heard reports whether the artefact was withdrawn, or its controller says so.
func (b *Book) Heard(c consent.Consent) (bool, error) {
	is, err := b.Withdrawn(c.Key())
	if is || err != nil {
		return is, err
	}
	return b.Withdrawn(onWord(c.Key(), c.Controller))
}

func (b *Book) withdraw(key [32]byte, w consent.Withdrawal, token string, to ...string) (fresh bool, err error) {
	var expires int64
	var full error
	err = b.rows.Update(func(t rows.Txn) error {
		e, err := find(t.Reader, key)
		if err != nil {
			return err
		}
		fresh = !e.withdrawn
		if fresh {
			// For longer than the artefact can live, whatever the withdrawal says of it.
			e.expires = max(e.expires, w.ExpiresAt.Unix(), w.IssuedAt.Add(consent.MaxLifetime+consent.Skew).Unix())
			e.withdrawn = true
			t.Set(rows.Consents, key[:], e.bytes())
		}
		expires = e.expires // as the row says: who signs it again, later and later, has the list not grow
		if w.Requester == w.Controller {
			owe(t, w.Key())
		}
		if len(to) == 0 {
			return nil
		}
		waiting := 0
		if err := t.Each(rows.Withdrawals, func(rows.Key, []byte) error { waiting++; return nil }); err != nil {
			return err
		}
		if waiting+len(to) > MaxOutstanding {
			full = ErrFull
			return nil
		}
		for _, entity := range to {
			t.Set(rows.Withdrawals, outstandingName(key, entity), []byte(entity+"\x00"+token))
		}
		return nil
	})
	if err == nil { // again, too, when it failed before
		err = b.list.Add(b.rows.Key(rows.Consents, key[:]), expires)
	}
	if err != nil {
		return false, fmt.Errorf("withdrawing consent: %w", err)
	}
	if full != nil {
		full = fmt.Errorf("handing a withdrawal on: %w", full)
	}
	return fresh, full
}

func outstandingName(key [32]byte, entity string) []byte { return append(key[:], entity...) }

// Outstanding is a withdrawal that an entity has yet to be told.
type Outstanding struct {
	Entity string
	Token  string
	key    rows.Key
}

// Outstanding lists them.
func (b *Book) Outstanding() (out []Outstanding, err error) {
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Withdrawals, func(key rows.Key, value []byte) error {
			o, err := parseOutstanding(key, value)
			out = append(out, o)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing withdrawals to be handed on: %w", err)
	}
	return out, nil
}

func parseOutstanding(key rows.Key, value []byte) (Outstanding, error) {
	entity, token, ok := strings.Cut(string(value), "\x00")
	if !ok {
		return Outstanding{}, errEntry
	}
	return Outstanding{entity, token, key}, nil
}

// over reports that nobody has to be told any more: the artefact had expired.
func (o Outstanding) over(before int64) bool {
	u, err := consent.ParseWithdrawal(o.Token)
	return err == nil && u.Claimed().ExpiresAt.Unix() < before
}

// Told notes that the entity of an outstanding withdrawal has it.
func (b *Book) Told(o Outstanding) error {
	return b.rows.Update(func(t rows.Txn) error {
		t.Delete(o.key)
		return nil
	})
}

// Forget removes what is of artefacts that expired a day ago, and returns how many rows. What a clock that
// was set forward has forgotten too early permits nothing once the clock is right.
func (b *Book) Forget(now time.Time) (gone int, err error) {
	var old []rows.Key
	var latest int64
	before, kept := forgetBefore(now).Unix(), b.rows.Key(rows.Consents, floor[:])
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Consents, func(key rows.Key, value []byte) error {
			e, err := parseEntry(value)
			if err == nil && e.expires < before && len(old) < maxForget && key != kept {
				old, latest = append(old, key), max(latest, e.expires)
			}
			return err
		})
	})
	if err == nil {
		err = b.rows.View(func(r rows.Reader) error {
			return r.Each(rows.Withdrawals, func(key rows.Key, value []byte) error {
				o, err := parseOutstanding(key, value)
				if err == nil && len(old) < maxForget && o.over(before) {
					old = append(old, key)
				}
				return err
			})
		})
	}
	if err == nil && len(old) > 0 {
		err = b.rows.Update(func(t rows.Txn) error {
			forgotten, err := find(t.Reader, floor)
			if err != nil {
				return err
			}
			for _, key := range old {
				t.Delete(key)
			}
			t.SetAt(kept, entry{expires: max(forgotten.expires, latest)}.bytes())
			return nil
		})
	}
	if err == nil {
		err = b.list.Forget(forgetBefore(now))
	}
	if err != nil {
		return 0, fmt.Errorf("forgetting consents: %w", err)
	}
	return len(old), nil
}

// forgetBefore is when what is forgotten now had expired.
func forgetBefore(now time.Time) time.Time { return now.Add(-24 * time.Hour) }

// maxForget bounds one commit.
const maxForget = 5000
