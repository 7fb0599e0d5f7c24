package stores

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// maxDSN bounds a connection string.
const maxDSN = 4096

// ErrDSN: the file with the connection string of a database is of no use. The error
// says why, and nothing of what is in it.
var ErrDSN = errors.New("reading the connection string of the database")

// OpenStore opens the store that is configured.
func OpenStore(ctx context.Context, cfg config.Config) (store.Store, error) {
	if cfg.Store.Engine != config.EnginePostgres {
		b, err := store.OpenBadger(GalleryDir(cfg))
		if err != nil {
			return nil, err // not b: it would be a Store that is not nil
		}
		return b, nil
	}
	dsn, err := readDSN(cfg.Store.DSNFile)
	if err != nil {
		return nil, err
	}
	defer clear(dsn)
	p, err := store.OpenPostgres(ctx, string(dsn))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// readDSN reads the file, which may hold a password.
func readDSN(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDSN, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDSN, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: it is not a regular file", ErrDSN)
	case info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("%w: everybody on this machine may read it", ErrDSN)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxDSN+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDSN, err)
	}
	dsn := bytes.TrimSpace(b)
	if len(dsn) == 0 || len(b) > maxDSN || bytes.ContainsAny(dsn, "\n\r\x00") {
		clear(b)
		return nil, fmt.Errorf("%w: it is not one line of at most %d bytes", ErrDSN, maxDSN)
	}
	return dsn, nil
}
