// Package gallery keeps a node's enrolled subjects: encrypted, under pseudonyms,
// on disk with Badger.
//
// Open it, Enrol batches, look references up with [Gallery.References].
// What a subject's records are keyed by is the VOPRF output of the identifier
// (crypto/pseudonym); what they are sealed with is a key of the subject's own,
// itself sealed under the node's root (crypto/envelope). The package neither
// matches nor decodes templates: callers validate before they enrol.
//
// Layout of the store, one key family each:
//
//	'm' name                        node binding and format version, sealed
//	'k' pseudonym (32 bytes)        keyring: wrapped key, then the sealed list of records
//	'r' HMAC(pseudonym, slot) (32)  one sealed record
//
// Record keys cannot be tied to a subject, or counted per subject, without the
// root key. Invariants: a result is returned only after its batch is synced to
// disk; a batch is in the store whole or not at all; no error names a person.
package gallery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Errors that callers branch on.
var (
	ErrUnknownSubject = errors.New("no subject is enrolled under this identifier")
	ErrLocked         = errors.New("the gallery folder is in use by another process")
	ErrDamaged        = errors.New("the gallery does not open under this node's keys")
)

// Limits per subject.
const (
	MaxRecords    = 64
	MaxRecordSize = 64 << 10
)

// Config says where a gallery is and under which keys. Every field is required.
type Config struct {
	Dir        string // folder of the store, created when absent
	Node       string // Entity Identifier; bound into every record
	Root       custody.Root
	Pseudonyms pseudonym.Key
}

// Gallery is an open store. It is safe for concurrent use; Close it.
type Gallery struct {
	// Immutable after Open.
	db         *badger.DB
	node       string
	ring       *envelope.Ring
	index      [32]byte
	pseudonyms pseudonym.Key

	subjects atomic.Int64

	// mu serialises read-modify-write of subjects; readers do not take it.
	mu sync.Mutex
}

// Open opens or makes the gallery in cfg.Dir. A folder that another process has
// open gives ErrLocked, one of other keys or another node ErrDamaged.
func Open(cfg Config) (*Gallery, error) {
	ring, err := envelope.NewRing(cfg.Root, 1)
	if err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	db, err := badger.Open(storeOptions(cfg.Dir))
	if err != nil {
		if strings.Contains(err.Error(), "Cannot acquire directory lock") {
			return nil, fmt.Errorf("opening gallery: %w", ErrLocked)
		}
		return nil, fmt.Errorf("opening gallery: %w: %v", ErrDamaged, err)
	}
	g := &Gallery{db: db, node: cfg.Node, ring: ring, index: cfg.Root.Derive("tamga/v1/gallery-index"), pseudonyms: cfg.Pseudonyms}
	if err := g.bind(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	n, err := g.count()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	g.subjects.Store(n)
	return g, nil
}

// storeOptions keep Badger small and honest: every commit synced, checksums
// verified, no compression of what is ciphertext anyway.
func storeOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithLogger(nil).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithMemTableSize(16 << 20).
		WithValueThreshold(1 << 10).
		WithValueLogFileSize(64 << 20).
		WithBlockCacheSize(16 << 20).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithDetectConflicts(false)
}

// Close releases the folder.
func (g *Gallery) Close() error {
	if err := g.db.Close(); err != nil {
		return fmt.Errorf("closing gallery: %w", err)
	}
	return nil
}

// Subjects is how many subjects are enrolled.
func (g *Gallery) Subjects() int64 { return g.subjects.Load() }

// bind writes, or checks, a sealed marker that ties the folder to this node and
// these keys, so that a wrong root is noticed at start and not at the first query.
func (g *Gallery) bind() error {
	var marker [32]byte
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-binding\x00" + g.node))
	mac.Sum(marker[:0])
	return g.db.Update(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte("mbinding"))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return txn.Set([]byte("mbinding"), marker[:])
		}
		if err != nil {
			return fmt.Errorf("opening gallery: %w: %v", ErrDamaged, err)
		}
		return item.Value(func(v []byte) error {
			if !hmac.Equal(v, marker[:]) {
				return fmt.Errorf("opening gallery: %w", ErrDamaged)
			}
			return nil
		})
	})
}

func (g *Gallery) count() (int64, error) {
	var n int64
	err := g.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte("k")})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("counting subjects: %v", err)
	}
	return n, nil
}

func keyringKey(p pseudonym.Pseudonym) []byte { return append([]byte("k"), p[:]...) }

// recordKey hides which subject a record belongs to from who has no root key.
func (g *Gallery) recordKey(p pseudonym.Pseudonym, slot uint32) []byte {
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-record\x00"))
	mac.Write(p[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, slot))
	return mac.Sum([]byte("r"))
}
