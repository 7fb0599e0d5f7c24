package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"peers/drive"
)

// postgresStore is a table of keys and values in a cluster that was started in dir.
type postgresStore struct {
	pool *pgxpool.Pool
	dir  string
	spec drive.Spec
	put  string // the statement of one transaction
}

func openPostgres(ctx context.Context, dir string, spec drive.Spec) (*postgresStore, string, error) {
	cfg, err := pgxpool.ParseConfig(fmt.Sprintf("host=%s user=postgres dbname=postgres pool_max_conns=%d", dir, drive.MaxWorkers))
	if err != nil {
		return nil, "", err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, "", err
	}
	s := &postgresStore{pool: pool, dir: dir, spec: spec}
	if _, err := pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS entries (key bytea PRIMARY KEY, value bytea NOT NULL)`); err != nil {
		return nil, "", err
	}
	// What does not compress is stored as it is.
	if _, err := pool.Exec(ctx, `ALTER TABLE entries ALTER COLUMN value SET STORAGE EXTERNAL`); err != nil {
		return nil, "", err
	}
	var values []string
	for i := range spec.Entries {
		values = append(values, fmt.Sprintf("($%d, $%d)", 2*i+1, 2*i+2))
	}
	s.put = `INSERT INTO entries VALUES ` + strings.Join(values, ", ")
	var v, commits, fsync string
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync')`).
		Scan(&v, &commits, &fsync); err != nil {
		return nil, "", err
	}
	if commits != "on" || fsync != "on" {
		return nil, "", fmt.Errorf("the server does not promise durability: synchronous_commit %s, fsync %s", commits, fsync)
	}
	v, _, _ = strings.Cut(v, " ")
	return s, "PostgreSQL " + v + ", pgx " + version("github.com/jackc/pgx/v5"), nil
}

func (s *postgresStore) Fill(ctx context.Context, first, n int) error {
	const batch = 10_000
	for start := first; start < first+n; start += batch {
		i, end := start, min(start+batch, first+n)
		var left []drive.Row
		_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"entries"}, []string{"key", "value"}, pgx.CopyFromFunc(func() ([]any, error) {
			if len(left) == 0 {
				if i == end {
					return nil, nil
				}
				left = drive.Rows(s.spec, i)
				i++
			}
			r := left[0]
			left = left[1:]
			return []any{r.Key, r.Value}, nil
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *postgresStore) Settle() error {
	ctx := context.Background()
	_, err := s.pool.Exec(ctx, `VACUUM ANALYZE entries`)
	if err == nil {
		_, err = s.pool.Exec(ctx, `CHECKPOINT`)
	}
	return err
}

func (s *postgresStore) Write(ctx context.Context, subject int) error {
	var args []any
	for _, r := range drive.Rows(s.spec, subject) {
		args = append(args, r.Key, r.Value)
	}
	_, err := s.pool.Exec(ctx, s.put, args...)
	return err
}

func (s *postgresStore) Read(ctx context.Context, subject int) error {
	rows, err := s.pool.Query(ctx, `SELECT value FROM entries WHERE key = ANY($1)`, drive.Keys(s.spec, subject))
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err == nil && len(found) != len(s.spec.Entries) {
		err = errors.New("a subject who was stored is not there")
	}
	return err
}

// Usage counts the server too.
func (s *postgresStore) Usage() drive.Usage {
	return drive.UsageWithPostgres(filepath.Join(s.dir, "data"))
}

func (s *postgresStore) Close() error {
	s.pool.Close()
	return nil
}
