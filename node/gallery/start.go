package gallery

import (
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// start checks the opened store against its tally and the one beside it, or makes
// both of a new gallery.
func (g *Gallery) start(known tally.Tally) error {
	stored, counted, err := g.recount()
	switch {
	case err != nil:
		return err
	case stored.Commit < known.Commit, stored.Commit == known.Commit && stored != known:
		return fmt.Errorf("%w: the store lacks commits that were acknowledged", ErrDamaged)
	case stored != counted:
		if err := g.mend(stored, counted); err != nil {
			return err
		}
	}
	if g.beside.Fresh() {
		if stored.Commit > 0 && !g.db.Shared() { // a gallery may join those that share
			return fmt.Errorf("%w: the file %q is missing", ErrDamaged, tally.Name)
		}
		if err := g.beside.Create(g.tallies); err != nil {
			return err
		}
	}
	g.see(stored)
	return g.startNames()
}

// recount reads the tally in the store and works out what it should be. A store
// without one must be empty.
func (g *Gallery) recount() (stored, counted tally.Tally, err error) {
	err = g.view(func(txn store.Reader) error {
		if stored, err = g.tallies.Stored(txn); err != nil {
			return store.Damaged("reading tally", err)
		}
		if _, err := txn.Get(copying()); err == nil && stored == (tally.Tally{}) {
			return fmt.Errorf("%w: copying a gallery into the store was not finished", ErrDamaged)
		}
		counted.Commit, counted.Erasures, counted.Last = stored.Commit, stored.Erasures, stored.Last
		// A store may lose rows to damage without saying so; the count then falls short.
		for row, err := range txn.Scan([]byte("v"), nil) {
			if err != nil {
				return store.Damaged("counting subjects", err)
			}
			s, err := keyring.ParseStamp(row.Value)
			if err != nil {
				return store.Damaged("counting subjects", err)
			}
			counted.Subjects++
			counted.Sum += s.Number()
		}
		return nil
	})
	return stored, counted, err
}
