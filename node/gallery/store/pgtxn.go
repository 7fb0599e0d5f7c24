package store

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgReader is a transaction that begins with its first query, in one exchange with it.
type pgReader struct {
	conn  *pgxpool.Conn
	begin []string          // what is still to be said before the next query
	known map[string][]byte // what Fetch has brought, nil for absent
}

// query hands each row that sql gives to visit.
func (r *pgReader) query(visit func(pgx.Rows) error, sql string, args ...any) error {
	limit := queryTime
	if len(r.begin) > 1 {
		limit = turnTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var b pgx.Batch
	for _, s := range r.begin {
		b.Queue(s)
	}
	r.begin = nil
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := visit(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return unavailable(r.conn.SendBatch(ctx, &b).Close())
}

// end gives up what was not committed.
func (r *pgReader) end() {
	if r.begin != nil || r.conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	_, _ = r.conn.Exec(ctx, "ROLLBACK") // a connection that it fails on is not used again
}

func (r *pgReader) Fetch(keys ...[]byte) error {
	if r.known == nil {
		r.known = make(map[string][]byte)
	}
	missing := slices.DeleteFunc(slices.Clone(keys), func(k []byte) bool { _, ok := r.known[string(k)]; return ok })
	if len(missing) == 0 {
		return nil
	}
	found := make(map[string][]byte, len(missing))
	for _, k := range missing {
		found[string(k)] = nil
	}
	err := r.query(func(rows pgx.Rows) error {
		var key, value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		found[string(key)] = value
		return nil
	}, selectRows, missing)
	if err != nil {
		return err
	}
	maps.Copy(r.known, found)
	return nil
}

func (r *pgReader) Get(key []byte) ([]byte, error) {
	if err := r.Fetch(key); err != nil {
		return nil, err
	}
	value := r.known[string(key)]
	if value == nil {
		return nil, ErrNotFound
	}
	return slices.Clone(value), nil
}

// Scan reads whole pages, so that Get can be called between two rows.
func (r *pgReader) Scan(prefix, after []byte) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		sql, end := selectPage, successor(prefix)
		if end != nil {
			sql = selectPart
		}
		from := append([]byte{}, start(prefix, after)...) // nil would be NULL
		for {
			args := []any{from, pageRows}
			if end != nil {
				args = append(args, end)
			}
			var page []Row
			err := r.query(func(rows pgx.Rows) error {
				var row Row
				err := rows.Scan(&row.Key, &row.Value)
				page = append(page, row)
				return err
			}, sql, args...)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < pageRows {
				return
			}
			from = start(prefix, page[len(page)-1].Key)
		}
	}
}

// successor is the least key after all that have the prefix, nil when there is none.
func successor(prefix []byte) []byte {
	s := slices.Clone(prefix)
	for len(s) > 0 {
		if s[len(s)-1]++; s[len(s)-1] != 0 {
			return s
		}
		s = s[:len(s)-1]
	}
	return nil
}

// pgTxn keeps what is staged until it is asked to scan, or done.
type pgTxn struct {
	pgReader
	staged map[string][]byte // nil for what is to be deleted
}

func (t *pgTxn) Get(key []byte) ([]byte, error) {
	value, ok := t.staged[string(key)]
	if !ok {
		return t.pgReader.Get(key)
	}
	if value == nil {
		return nil, ErrNotFound
	}
	return slices.Clone(value), nil
}

func (t *pgTxn) Set(key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	t.staged[string(key)] = value
	return nil
}

func (t *pgTxn) Delete(key []byte) error {
	t.staged[string(key)] = nil
	return nil
}

func (t *pgTxn) Scan(prefix, after []byte) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := t.flush(); err != nil {
			yield(Row{}, err)
			return
		}
		t.pgReader.Scan(prefix, after)(yield)
	}
}

// flush sends what is staged, in the order of the keys. An update that has done nothing
// yet takes its turn.
func (t *pgTxn) flush() error {
	var set, values, gone [][]byte
	for _, key := range slices.Sorted(maps.Keys(t.staged)) {
		if value := t.staged[key]; value == nil {
			gone = append(gone, []byte(key))
		} else {
			set, values = append(set, []byte(key)), append(values, value)
		}
	}
	clear(t.staged)
	t.known = nil
	none := func(pgx.Rows) error { return nil }
	if len(gone) > 0 {
		if err := t.query(none, deleteRows, gone); err != nil {
			return err
		}
	}
	if len(set) > 0 {
		return t.query(none, upsertRows, set, values)
	}
	return nil
}
