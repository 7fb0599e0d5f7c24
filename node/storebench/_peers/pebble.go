package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"

	"peers/drive"
)

func modules() []*debug.Module {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	return info.Deps
}

// quiet keeps Pebble's news from stderr.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

type pebbleStore struct {
	db   *pebble.DB
	spec drive.Spec
}

// openPebble opens Pebble with the filters and the cache that its users give it, and
// without compression of what does not compress.
func openPebble(dir string, spec drive.Spec) (*pebbleStore, string, error) {
	cache := pebble.NewCache(256 << 20)
	defer cache.Unref()
	o := &pebble.Options{Logger: quiet{}, Cache: cache, MemTableSize: 64 << 20}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].Compression = func() *block.CompressionProfile { return block.NoCompression }
	}
	db, err := pebble.Open(filepath.Join(dir, "pebble"), o)
	return &pebbleStore{db, spec}, "Pebble " + version("github.com/cockroachdb/pebble/v2"), err
}

func (s *pebbleStore) Fill(ctx context.Context, first, n int) error {
	const batch = 1000
	for start := first; start < first+n; start += batch {
		b := s.db.NewBatch()
		for i := start; i < min(start+batch, first+n); i++ {
			if err := s.add(b, i); err != nil {
				return err
			}
		}
		if err := errors.Join(b.Commit(pebble.NoSync), ctx.Err()); err != nil {
			return err
		}
	}
	return s.db.Flush()
}

// Settle waits until Pebble has nothing left to merge, or has had its time.
func (s *pebbleStore) Settle() error {
	for deadline := time.Now().Add(2 * time.Minute); s.db.Metrics().Compact.NumInProgress > 0 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

func (s *pebbleStore) add(b *pebble.Batch, subject int) error {
	for _, r := range drive.Rows(s.spec, subject) {
		if err := b.Set(r.Key, r.Value, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *pebbleStore) Write(_ context.Context, subject int) error {
	b := s.db.NewBatch()
	if err := s.add(b, subject); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}

func (s *pebbleStore) Read(_ context.Context, subject int) error {
	for _, key := range drive.Keys(s.spec, subject) {
		_, done, err := s.db.Get(key)
		if err != nil {
			return err
		}
		if err := done.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (s *pebbleStore) Close() error { return s.db.Close() }
