// Package alarms keeps the alarms that Queries raised: what was raised, when and at whom, and never
// about whom.
//
// [New], [Book.Raise] where the alarm is, and [Book.Run] while the node runs, which makes what was
// raised durable. [Book.Counts] is since the start, [Book.List] of all nodes of the store.
//
// Invariants:
//
//   - raising an alarm takes the same short time whatever the store does, so that who raised it
//     feels nothing of it;
//   - the list has the newest [Max]: past that the oldest goes of the requester that has most, so
//     that nobody hides what another one raised behind alarms of his own;
//   - who has the store without the node's keys sees how many alarms there were, and no more.
//
// An alarm that was raised in the moment before a crash, or while [waiting] others wait for a store
// that is away, is in the log and in the ledger alone.
package alarms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/node/rows"
)

// Kind is what an alarm is about.
type Kind string

// Kinds are all of them.
const (
	Canary Kind = "canary" // a Query touched an invented person
	Locked Kind = "locked" // a run of misses locked somebody for the requester
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Canary, Locked} }

// Alarm is one that was raised.
type Alarm struct {
	Kind      Kind      `json:"kind"`
	At        time.Time `json:"at"`        // whole seconds
	Requester string    `json:"requester"` // Entity Identifier
	Officer   string    `json:"officer"`   // pseudonym, which the requester can resolve
	Purpose   string    `json:"purpose"`
	Query     string    `json:"query"` // its hash, by which both ledgers have it
}

// Max bounds how many are listed.
const Max = 2000

// waiting bounds how many wait to be written: some seconds of a flood.
const waiting = 1024

// Book is what is kept. It is safe for concurrent use. A nil Book keeps nothing.
type Book struct {
	rows   *rows.Rows
	wake   chan struct{} // has room for one
	counts [2]atomic.Uint64

	// writing is held while what waits becomes rows, so that a list has it once.
	writing sync.Mutex

	mu      sync.Mutex // guards what follows; nobody holds it while the store works
	pending []Alarm    // in the order that they came
}

// New opens the book in rows.
func New(r *rows.Rows) *Book { return &Book{rows: r, wake: make(chan struct{}, 1)} }

// Raise counts an alarm and has it written later.
func (b *Book) Raise(a Alarm) {
	at := slices.Index(Kinds(), a.Kind)
	if b == nil || at < 0 {
		return
	}
	b.counts[at].Add(1)
	a.At = a.At.UTC().Truncate(time.Second)
	b.mu.Lock()
	if len(b.pending) < waiting {
		b.pending = append(b.pending, a)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Counts is how many this node raised since its start, of every kind.
func (b *Book) Counts() map[string]uint64 {
	out := make(map[string]uint64)
	for i, k := range Kinds() {
		out[string(k)] = b.counts[i].Load()
	}
	return out
}

// Run writes what is raised until ctx ends, and then what waits. What fails is given to failed, and is tried again
// with the next.
func (b *Book) Run(ctx context.Context, failed func(error)) error {
	for {
		var ended error
		select {
		case <-b.wake:
		case <-ctx.Done():
			ended = ctx.Err()
		}
		if err := b.write(); err != nil {
			failed(err)
		}
		if ended != nil {
			return ended
		}
	}
}

// kept is an alarm and where it lies.
type kept struct {
	Alarm
	key rows.Key
}

// waits is a copy of what waits.
func (b *Book) waits() []Alarm {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.pending)
}

// write makes rows of what waits.
func (b *Book) write() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	fresh := b.waits()
	if len(fresh) == 0 {
		return nil
	}
	err := b.rows.Update(func(t rows.Txn) error {
		all, err := each(t.Reader)
		if err != nil {
			return err
		}
		for _, a := range fresh {
			value, err := json.Marshal(a)
			if err != nil {
				return err
			}
			key := b.rows.Key(rows.Alarms, []byte(string(a.Kind)+"\x00"+a.Query))
			t.SetAt(key, value)
			all = slices.DeleteFunc(all, func(k kept) bool { return k.key == key })
			all = append(all, kept{a, key})
		}
		for _, k := range surplus(all) {
			t.Delete(k.key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping alarms: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = slices.Delete(b.pending, 0, len(fresh))
	return nil
}

// surplus is what is too many: the oldest of whoever has most.
func surplus(all []kept) (out []kept) {
	if len(all) <= Max {
		return nil
	}
	of := make(map[string][]kept)
	slices.SortFunc(all, func(a, b kept) int { return a.At.Compare(b.At) })
	for _, k := range all {
		of[k.Requester] = append(of[k.Requester], k)
	}
	for range len(all) - Max {
		most := ""
		for who, has := range of {
			if len(has) > len(of[most]) || len(has) == len(of[most]) && who < most {
				most = who
			}
		}
		out, of[most] = append(out, of[most][0]), of[most][1:]
	}
	return out
}

func each(r rows.Reader) (all []kept, err error) {
	err = r.Each(rows.Alarms, func(key rows.Key, value []byte) error {
		k := kept{key: key}
		if err := json.Unmarshal(value, &k.Alarm); err != nil {
			return fmt.Errorf("a row is not what it should be: %w", err)
		}
		all = append(all, k)
		return nil
	})
	return all, err
}

// List is all of them, the newest first.
func (b *Book) List() ([]Alarm, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	out := b.waits()
	err := b.rows.View(func(r rows.Reader) error {
		all, err := each(r)
		for _, k := range all {
			out = append(out, k.Alarm)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing alarms: %w", err)
	}
	slices.SortFunc(out, func(a, b Alarm) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Query, b.Query), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.Compact(out), nil
}
