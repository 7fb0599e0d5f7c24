// Package store keeps the rows of a gallery: an ordered map of byte keys to byte
// values, durable, changed by one atomic update at a time. It knows nothing of what
// the rows hold.
//
// [OpenBadger] opens one on the local disk, [OpenPostgres] one in a database that
// several processes may share. Look with View, change with Update, fill
// a new one with Load, Close it. What the package does not do: it does not encrypt,
// and it does not notice that rows are missing, which an engine may lose over damaged
// files: who needs to know counts them.
//
// Invariants of every [Store]:
//
//   - an update of which Update returned nil is on disk, whole, and is seen by every
//     View and Update that begins later;
//   - one of which it returned an error is not there, unless the error is [ErrInDoubt];
//   - a View sees one moment, an Update the latest one and what it has staged itself.
package store

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("no row has this key")
	ErrLocked   = errors.New("the gallery folder is in use by another process")
	ErrDamaged  = errors.New("the gallery is damaged, or not of this node and its keys")
	// ErrInDoubt: whether the update stands cannot be told.
	ErrInDoubt = errors.New("whether it was stored could not be told")
	// ErrConnection: a database is not to be used as it is configured.
	ErrConnection = errors.New("the database cannot be used as it is configured")
	// ErrUnavailable: the store cannot be used for now; nothing changed.
	ErrUnavailable = errors.New("the gallery's store cannot be used for now")
	// ErrFull is an [ErrUnavailable]: reading goes on, and so do updates once there is room.
	ErrFull = fmt.Errorf("%w: too little disk space is left", ErrUnavailable)
	// ErrClosed is for who keeps a store open: it was closed meanwhile.
	ErrClosed = errors.New("the gallery is closed")
)

// Damaged is what an error comes to where the store must not fail: [ErrDamaged], unless it
// only cannot be used for now.
func Damaged(doing string, err error) error {
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrClosed) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %v", doing, ErrDamaged, err)
}

// MaxUpdate is how many bytes of keys and values every engine takes in one Update.
const MaxUpdate = 2 << 20

// Row is one entry. It is valid until the next one is asked for.
type Row struct{ Key, Value []byte }

// Reader is the rows as of one moment. It is for one goroutine, and not to be kept.
type Reader interface {
	// Get returns the value, the caller's to keep. [ErrNotFound] when there is none.
	Get(key []byte) ([]byte, error)
	// Fetch says for which keys Get is going to be asked, so that an engine that is far
	// away brings them at once. It changes no result.
	Fetch(keys ...[]byte) error
	// Scan yields, in the order of the keys, the rows whose key has the prefix and
	// comes after the given one; nil for all of them. An error ends it. Get may be
	// called meanwhile.
	Scan(prefix, after []byte) iter.Seq2[Row, error]
}

// Txn is an update in the making. Key and value are the engine's until it is done.
type Txn interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
}

// Store is an open store. It is safe for concurrent use, except that nothing may be
// under way or follow when Close is called.
type Store interface {
	// View runs f, whose error it returns.
	View(f func(Reader) error) error
	// Update runs f and makes durable what it staged; when f returns an error nothing
	// changes and Update returns that. Without anything staged it writes nothing. f runs
	// once at most. Errors: [ErrInDoubt], [ErrUnavailable], [ErrFull],
	// [ErrDamaged].
	Update(f func(Txn) error) error
	// Ready is [ErrFull] while every update would be, as far as can be told without one.
	Ready() error
	// Load fills an empty store, faster than updates do, and is durable when it
	// returns nil; otherwise the store is to be thrown away. It ends at the first
	// error of rows and returns that.
	Load(rows iter.Seq2[Row, error]) error
	// Shared says whether other processes may update the store meanwhile. Of one that
	// is not shared, an update in doubt is settled by opening it again alone.
	Shared() bool
	Close() error
}

// empty is nil of a store without rows.
func empty(r Reader) error {
	for _, err := range r.Scan(nil, nil) {
		if err == nil {
			err = errors.New("the store is not empty")
		}
		return err
	}
	return nil
}

// guard turns a panic of the store, or a fault in a file that it has mapped, into
// damage. Badger takes its files' word for lengths.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the store stopped with a %T", ErrDamaged, r)
		}
	}()
	return f()
}
