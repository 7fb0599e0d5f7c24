// Package gallery keeps a node's enrolled subjects: encrypted, under pseudonyms,
// in a store of node/gallery/store.
//
// Open it, Enrol batches, look references up with [Gallery.References].
// What a subject's records are keyed by is the VOPRF output of the identifier
// (crypto/pseudonym); what they are sealed with is a key of the subject's own,
// itself sealed under the node's root (crypto/envelope). The package neither
// matches nor decodes templates: callers validate before they enrol.
//
// How subjects lie, under which keys, is node/gallery/subjects; that keys are replaced is
// node/gallery/renewal; whole galleries are read and copied by node/gallery/snapshot.
//
// Layout of the store, one key family each:
//
//	'm' "tally"                     what the store adds up to, authenticated
//	'm' "pseudonym-keys"            which pseudonym keys rows lie under, authenticated
//	'v' pseudonym (32 bytes)        numbers of the commits that wrote the keyring and that enrolled the subject
//	'k' pseudonym (32 bytes)        keyring: wrapped key, then the sealed list of records
//	'm' "least-..."                 the oldest keys that anything may be stored under, authenticated
//	'r' HMAC(pseudonym, slot) (32)  one sealed record
//	'b' HMAC(batch) (32)            number of the commit that an import's first enrolment is in
//	'h' HMAC(consent) (32) pseudonym  who is held by that consent
//	'z' number (8)                  an entry of the list of erasures
//	'n' HMAC(id) (16)               of a shared store: who uses it, see node/gallery/presence
//
// and in the gallery's folder the file "tally" with the last commit's, and beside it the
// list of erasures once more, see [erasure.File]; with a shared store also the file
// "gallery-presence", the id in 'n'.
//
// Invariants:
//
//   - a result is returned only after the commit that holds it is synced to disk,
//     and a commit is in the store whole or not at all;
//   - record keys cannot be tied to a subject, or counted per subject, without the
//     root key, and without the pseudonym key nobody can test who is enrolled;
//   - a record is returned only as the record, at the place, that its subject's
//     list names; everything else is [ErrDamaged];
//   - a folder opens only under the node, root key and pseudonym keys of its rows,
//     and only if no acknowledged enrolment is missing from it;
//   - who was erased is unknown, whatever older copy of the folder is put back, and
//     until enrolled anew;
//   - no error and no printed value names a person.
//
// That the whole folder was put back to an earlier state shows only with [Config].Outside.
//
// A disk that is nearly full: below [store.Reserve] every change is refused with [ErrFull]
// before anything is written, look-ups go on, and changes do by themselves when there is
// room. [Gallery.Ready] says so beforehand. Nothing can be done about another program that
// takes the whole reserve while a compaction is under way: Badger ends the process then,
// and what was acknowledged stays.
//
// [Gallery.Collect] gives disk space back; a running node calls it every hour. Damage is
// found by [Open], by look-ups, and whole by [Gallery.Fsck].
package gallery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/subjects"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Errors that callers branch on.
var (
	ErrUnknownSubject = keyring.ErrUnknown
	ErrLocked         = store.ErrLocked
	ErrDamaged        = store.ErrDamaged
	ErrClosed         = store.ErrClosed
	ErrInDoubt        = store.ErrInDoubt     // sending the same again is safe, and tells
	ErrUnavailable    = store.ErrUnavailable // nothing was changed
	ErrReopen         = commit.ErrReopen     // nothing is changed before that: only Open finds out how things stand
	ErrFull           = store.ErrFull        // an ErrUnavailable: look-ups go on, changes do once the disk has room
)

// Limits per subject.
const (
	MaxRecords    = keyring.MaxRecords
	MaxRecordSize = 64 << 10
)

// Config says where a gallery is and under which keys. Every field but Store, Outside
// and Protection is required.
type Config struct {
	// Store opens what keeps the rows; nil for Badger in Dir. It may be shared by
	// several galleries with the same keys, each with a folder of its own.
	Store      func(dir string) (store.Store, error)
	Dir        string          // folder of the gallery, created when absent; nothing else may be kept in it
	Outside    string          // names files that do not go back when Dir does, [OutsideFiles]; empty for none
	Restored   bool            // that the gallery is an earlier one is known; it is to be looked at and not gone on with
	Node       string          // Entity Identifier; bound into every record
	Root       custody.Root    // key that the names of records and the tally derive from
	Ring       *envelope.Ring  // KEKs; its current generation wraps the keys of new subjects
	Pseudonyms *pseudonym.Ring // a ring without a key that rows lie under is refused
	Protection Protection      // what templates are turned by before they are stored; nil stores them as they are
	// Identifiers has who is enrolled from now on kept with the own identifier, sealed under the
	// own key: without it nobody can say who was found by a search. It counts as one of MaxRecords.
	Identifiers bool
}

func (c Config) check() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no folder given"))
	}
	if c.Node == "" {
		errs = append(errs, errors.New("no entity identifier given"))
	}
	if !c.Root.Usable() {
		errs = append(errs, errors.New("no root key given"))
	}
	if c.Ring == nil {
		errs = append(errs, errors.New("no key ring given"))
	}
	if c.Pseudonyms == nil {
		errs = append(errs, errors.New("no pseudonym key given"))
	}
	return errors.Join(errs...)
}

// Gallery is an open store. It is safe for concurrent use; Close it.
type Gallery struct {
	// Immutable after Open.
	set        *subjects.Set
	index      [32]byte
	protection Protection // nil for none
	identified bool       // identifiers are kept

	// It belongs to who has the line's turn.
	owed map[pseudonym.Pseudonym]int // records of who is listed as erased and may not be yet
}

// Open opens or makes the gallery in cfg.Dir. A folder that another process has
// open gives [ErrLocked]; one of another node or other keys, or one that lacks
// anything that was acknowledged, [ErrDamaged]. What one subject lacks and follows from
// the rest is put back.
func Open(cfg Config) (*Gallery, error) {
	g, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	return g, nil
}

func open(cfg Config) (*Gallery, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	g := newGallery(cfg)
	list, outside := OutsideFiles(cfg.Outside)
	if cfg.Restored {
		outside = ""
	}
	line, err := commit.Open(commit.Config{Store: cfg.Store, Dir: cfg.Dir, ListOutside: list, TallyOutside: outside,
		Root: cfg.Root, Tallies: g.set.Tallies, Rules: rules{g}})
	if err != nil {
		return nil, err
	}
	if err := g.set.Begin(line, cfg.Dir); err != nil {
		return nil, errors.Join(err, line.Abandon())
	}
	return g, nil
}

// OutsideFiles are the two files that [Config].Outside names: another copy of the list
// of erasures, and how far the gallery was. Without the latter nothing is known: who could
// remove it could put it back as well.
func OutsideFiles(outside string) (erasures, tally string) {
	if outside == "" {
		return "", ""
	}
	return erasure.File(outside), filepath.Clean(outside) + "-gallery"
}

// newGallery is the gallery of a configuration that was checked, with nothing open.
func newGallery(cfg Config) *Gallery {
	index := cfg.Root.Derive("tamga/v1/gallery-index")
	set := subjects.New(subjects.Config{
		Node: cfg.Node, Index: index, Presence: cfg.Root.Derive("tamga/v1/gallery-presence"),
		Ring: cfg.Ring, Pseudonyms: cfg.Pseudonyms, Templates: cfg.Protection,
	})
	return &Gallery{set: set, index: index, protection: cfg.Protection, identified: cfg.Identifiers, owed: make(map[pseudonym.Pseudonym]int)}
}

// Close waits for the commit under way, refuses those that wait, and releases the
// folder. A second Close returns [ErrClosed].
func (g *Gallery) Close() error {
	err := g.set.Close()
	if err != nil && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("closing gallery: %w", err)
	}
	return err
}

// Subjects is how many subjects are enrolled; in a shared store, when this gallery last
// looked.
func (g *Gallery) Subjects() int64 { return g.set.Line.Subjects() }

// Ready is [ErrFull] while no change would be taken.
func (g *Gallery) Ready() error { return g.set.Line.While(store.Store.Ready) }

// Collect gives disk space back that only rows take which are gone: those of subjects who
// were erased, of batches undone, of lists rewritten. It returns how many files it
// replaced. What is erased needs none of it to be out of reach; who has the disk finds
// less that is sealed. It may be called at any time, and does nothing in a store that
// looks after itself.
func (g *Gallery) Collect(ctx context.Context) (files int, err error) {
	err = g.set.Line.While(func(db store.Store) (err error) {
		c, ok := db.(interface {
			Collect(context.Context) (int, error)
		})
		if !ok {
			return nil
		}
		if files, err = c.Collect(ctx); err != nil {
			err = fmt.Errorf("collecting what is gone: %w", err)
		}
		return err
	})
	return files, err
}

// Format prints a constant whatever the verb.
func (*Gallery) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "gallery(redacted)") }

// LogValue is a constant.
func (*Gallery) LogValue() slog.Value { return slog.StringValue("gallery(redacted)") }

// Beside runs f with the store, for who keeps rows of its own beside the gallery's: see
// node/rows. [ErrClosed] when the gallery is not open any more.
func (g *Gallery) Beside(f func(store.Store) error) error { return g.set.Line.While(f) }
