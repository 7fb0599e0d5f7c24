package commit

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// errLost refuses a store that lacks subjects.
var errLost = fmt.Errorf("%w: subjects are missing from the store", store.ErrDamaged)

// mend puts the stamp of one subject back that the store has lost while the keyring is
// there. What it was follows from the tally, which counts the sum of all; and the
// keyring, which is sealed under its stamp, opens only when that is right, and by that
// shows that nobody else's stamp is another than it was. Of two that are lost neither
// follows: then the store is refused, since a subject gone back to an older state would
// not show.
func (l *Line) mend(stored, counted tally.Tally) error {
	if stored.Subjects != counted.Subjects+1 {
		return errLost
	}
	whole := counted
	whole.Subjects, whole.Sum, whole.Bound = stored.Subjects, stored.Sum, stored.Bound
	if whole != stored {
		return errLost
	}
	p, err := l.unstamped()
	if err != nil {
		return err
	}
	stamp := keyring.StampOf(stored.Sum - counted.Sum)
	if counted.Bound+l.tallies.Binder().Bind(p, stamp.Number()) != stored.Bound {
		return errLost // it is of another subject, who is gone whole
	}
	return l.db.Update(func(txn store.Txn) error {
		if now, err := l.tallies.Stored(txn); err != nil || now != stored {
			return errors.Join(errLost, err) // others who share it go on with it: begin again
		}
		if err := l.rules.Opens(restamped{txn, keyring.StampRow(p), stamp.Bytes()}, p); err != nil {
			return errors.Join(errLost, err)
		}
		return txn.Set(keyring.StampRow(p), stamp.Bytes())
	})
}

// unstamped finds the one subject who has a keyring and no stamp.
func (l *Line) unstamped() (found pseudonym.Pseudonym, err error) {
	n := 0
	err = l.View(func(txn store.Reader) error {
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err != nil {
				return store.Damaged("looking for keyrings", err)
			}
			if len(row.Key) != 1+len(found) {
				return fmt.Errorf("looking for keyrings: %w", store.ErrDamaged)
			}
			p := pseudonym.Pseudonym(row.Key[1:])
			switch _, err := txn.Get(keyring.StampRow(p)); {
			case errors.Is(err, store.ErrNotFound):
				found = p
				n++
			case err != nil:
				return store.Damaged("looking for stamps", err)
			}
		}
		return nil
	})
	if err == nil && n != 1 {
		err = errLost
	}
	return found, err
}

// restamped shows a row that is not there.
type restamped struct {
	store.Reader
	key, value []byte
}

func (r restamped) Get(key []byte) ([]byte, error) {
	if bytes.Equal(key, r.key) {
		return bytes.Clone(r.value), nil
	}
	return r.Reader.Get(key)
}
