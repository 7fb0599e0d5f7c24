package ledger

import (
	"context"
	"errors"
	"fmt"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// VerifierKeys are the keys that the log publishes now, as C2SP vkey strings.
func (l *Log) VerifierKeys() []string { return l.identity.Load().signer.VerifierKeys() }

// UseSigner puts other keys of the same log into use: its checkpoint is signed with them at
// once, in the store and wherever it is remembered, so that those before are not needed to
// open the log again. Replace keys in three steps: the signer [lognote.Signer.With] the next ones; the
// next ones with those before, whose publication peers learn meanwhile; the next ones alone.
// It waits for the commit under way. The errors are those of [Log.Append].
func (l *Log) UseSigner(ctx context.Context, s lognote.Signer) error {
	v, err := s.Verifier()
	if err != nil {
		return fmt.Errorf("replacing ledger keys: %w", err)
	}
	if s.Origin() != l.identity.Load().signer.Origin() {
		return fmt.Errorf("replacing ledger keys: %w", lognote.ErrOrigin)
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.failed != nil {
		return fmt.Errorf("replacing ledger keys: %w", l.failed)
	}
	h, err := l.signedBy(s)
	if err != nil {
		return fmt.Errorf("replacing ledger keys: %w", err) // nothing was written: the log goes on
	}
	if err := l.put(h); err != nil {
		// Which of both checkpoints the disk has is unknown; both are of the same tree.
		l.failed = fmt.Errorf("replacing ledger keys: %v: %w", err, ErrFailed)
		return l.failed
	}
	l.identity.Store(&identity{s, v})
	return nil
}

// signedBy is the head with a checkpoint by s. The caller has the turn.
func (l *Log) signedBy(s lognote.Signer) (*head, error) {
	h := *l.head.Load()
	g, err := merkle.Grow(h.size, h.frontier, nil)
	if err != nil {
		return nil, err
	}
	root, err := merkle.Root(g.Tree)
	if err != nil {
		return nil, err
	}
	h.checkpoint, err = s.Sign(h.size, root, l.now())
	return &h, err
}

// put remembers a head of the same tree everywhere. The caller has the turn.
func (l *Log) put(h *head) (err error) {
	if h.size > 0 {
		err = guard("store", func() error {
			txn := l.db.NewTransaction(true)
			defer txn.Discard()
			if err := txn.SetEntry(badger.NewEntry(keyCheckpoint(), h.checkpoint)); err != nil {
				return err
			}
			return txn.Commit()
		})
	}
	if err == nil {
		err = l.slots.Settle(h.checkpoint)
	}
	if err == nil && l.memory != nil {
		err = l.memory.Settle(h.checkpoint)
	}
	if err != nil {
		return err
	}
	l.head.Store(h)
	return nil
}

// SignedBy reports whether the newest checkpoint in the file, that of a log's folder or of
// Config.Outside, verifies under v: whether a log whose other keys are destroyed opens.
func SignedBy(path string, v lognote.Verifier) (bool, error) {
	_, err := recall(path, v)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, ErrTampered) || errors.Is(err, lognote.ErrKey) || errors.Is(err, lognote.ErrSignature) {
		return false, nil
	}
	return false, fmt.Errorf("reading checkpoint file: %w", err)
}
