package storebench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/storebench/drive"
)

// pseudonyms has a look-up's first step alone.
type pseudonyms struct{ key pseudonym.Key }

func openPseudonyms() (*pseudonyms, error) {
	k, err := pseudonym.NewKey(secret("pseudonyms"))
	return &pseudonyms{k}, err
}

func (*pseudonyms) Fill(context.Context, int, int) error { return nil }

func (*pseudonyms) Settle() error { return nil }

func (p *pseudonyms) Write(ctx context.Context, subject int) error { return p.Read(ctx, subject) }

func (p *pseudonyms) Read(_ context.Context, subject int) error {
	_, err := p.key.Pseudonym(identifier(subject))
	return err
}

func (*pseudonyms) Close() error { return nil }

// badgerStore is Badger as its documentation has it: a transaction for each subject.
type badgerStore struct {
	db   *badger.DB
	spec drive.Spec
}

func openBadger(dir string, spec drive.Spec) (*badgerStore, error) {
	db, err := badger.Open(badger.DefaultOptions(filepath.Join(dir, "badger")).
		WithSyncWrites(true).WithLogger(nil).WithCompression(options.None))
	return &badgerStore{db, spec}, err
}

func (s *badgerStore) Fill(ctx context.Context, first, n int) error {
	b := s.db.NewWriteBatch()
	defer b.Cancel()
	for i := first; i < first+n; i++ {
		for _, e := range drive.Rows(s.spec, i) {
			if err := errors.Join(b.Set(e.Key, e.Value), ctx.Err()); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}

func (s *badgerStore) Settle() error { return s.db.Flatten(2) }

func (s *badgerStore) Write(_ context.Context, subject int) error {
	return s.db.Update(func(txn *badger.Txn) error {
		for _, e := range drive.Rows(s.spec, subject) {
			if err := txn.Set(e.Key, e.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *badgerStore) Read(_ context.Context, subject int) error {
	return s.db.View(func(txn *badger.Txn) error {
		for _, key := range drive.Keys(s.spec, subject) {
			item, err := txn.Get(key)
			if err != nil {
				return err
			}
			if _, err := item.ValueCopy(nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *badgerStore) Close() error { return s.db.Close() }

// fileStore is the disk: one append and one fsync for each subject.
type fileStore struct {
	mu   sync.Mutex
	f    *os.File
	spec drive.Spec
}

func openFile(dir string, spec drive.Spec) (*fileStore, error) {
	f, err := os.Create(filepath.Join(dir, "appended"))
	return &fileStore{f: f, spec: spec}, err
}

func (*fileStore) Fill(context.Context, int, int) error { return nil }

func (*fileStore) Settle() error { return nil }

func (s *fileStore) Write(_ context.Context, subject int) error {
	var b []byte
	for _, e := range drive.Rows(s.spec, subject) {
		b = append(append(b, e.Key...), e.Value...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.f.Write(b); err != nil {
		return err
	}
	return s.f.Sync()
}

func (*fileStore) Read(context.Context, int) error {
	return errors.New("a file of appends looks nothing up")
}

func (s *fileStore) Close() error { return s.f.Close() }
