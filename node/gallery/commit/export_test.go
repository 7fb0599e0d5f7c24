package commit

import (
	"errors"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// LoseFile has writing the tally file fail until it is given back.
func (l *Line) LoseFile() (giveBack func()) {
	was := l.beside
	l.beside = new(tally.File)
	return func() { l.beside = was }
}

// SetCommits makes the next commit's number one more than n.
func (l *Line) SetCommits(n uint32) error {
	l.tally.Commit = n
	return l.db.Update(func(txn store.Txn) error {
		return errors.Join(txn.Set(l.rules.Row(), l.rules.Said()), txn.Set(tally.Row(), l.tallies.Seal(l.tally)))
	})
}
