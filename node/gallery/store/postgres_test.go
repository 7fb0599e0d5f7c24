package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/internal/pgtest"
)

// TestInDoubt cuts the connection at COMMIT: before the server has heard of it and
// after it has answered. Either is in doubt, and the next update sees which it was.
func TestInDoubt(t *testing.T) {
	cluster := postgres.Start(t)
	proxy := cluster.Proxy(t)
	s, err := store.OpenPostgres(t.Context(), proxy.DSN(cluster, cluster.Database(t)))
	opened(t, s, err)
	set(t, s, map[string]string{"a": "0"})
	for fault, want := range map[pgtest.Fault]string{pgtest.CutBefore: "0", pgtest.CutAfter: "1"} {
		set(t, s, map[string]string{"a": "0"})
		proxy.Fail(fault)
		err := s.Update(func(txn store.Txn) error { return txn.Set([]byte("a"), []byte("1")) })
		if !errors.Is(err, store.ErrInDoubt) {
			t.Errorf("cut %v: %v, want ErrInDoubt", fault, err)
		}
		err = s.Update(func(txn store.Txn) error {
			if v, err := txn.Get([]byte("a")); err != nil || string(v) != want {
				t.Errorf("cut %v: %q, %v; want %q", fault, v, err, want)
			}
			return nil
		})
		if err != nil {
			t.Errorf("after it: %v", err)
		}
	}
}

// TestFrozen: a server that does not answer a commit leaves it in doubt, and once it
// goes on the update is there, since nobody asked it to cancel.
func TestFrozen(t *testing.T) {
	cluster := postgres.Start(t)
	s, err := store.OpenPostgres(t.Context(), cluster.Database(t))
	opened(t, s, err)
	s.SetPatience(300 * time.Millisecond)
	var thaw func()
	err = s.Update(func(txn store.Txn) error {
		err := txn.Set([]byte("a"), []byte("1"))
		_ = scan(t, txn, nil, nil)
		thaw = cluster.Freeze(t)
		return err
	})
	if !errors.Is(err, store.ErrInDoubt) {
		t.Errorf("got %v, want ErrInDoubt", err)
	}
	thaw()
	s.SetPatience(time.Minute)
	err = s.Update(func(txn store.Txn) error { // waits until the other is done
		expect(t, "after it", scan(t, txn, nil, nil), "a=1")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUnavailable: a server that is gone, or came back read-only, changes nothing and
// is used again when it can be.
func TestUnavailable(t *testing.T) {
	cluster := postgres.Start(t)
	dsn := cluster.Database(t)
	s, err := store.OpenPostgres(t.Context(), dsn)
	opened(t, s, err)
	set(t, s, map[string]string{"a": "1"})
	err = s.Update(func(txn store.Txn) error {
		err := txn.Set([]byte("a"), []byte("2"))
		_ = scan(t, txn, nil, nil)
		cluster.Crash()
		return err
	})
	if !errors.Is(err, store.ErrInDoubt) && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("crashed before the commit: %v", err)
	}
	if err := s.View(func(r store.Reader) error { _, err := r.Get([]byte("a")); return err }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while it is gone: %v, want ErrUnavailable", err)
	}
	if _, err := store.OpenPostgres(t.Context(), dsn); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opening while it is gone: %v, want ErrUnavailable", err)
	}
	cluster.Start(t)
	expect(t, "after it", all(t, s), "a=1")
	cluster.Run(t, dsn, "DROP TABLE tamga_gallery")
	if err := s.View(func(r store.Reader) error { _, err := r.Get([]byte("a")); return err }); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("without the table: %v", err)
	}
}

// TestRefused: what would lose rows, or show them, is refused with the reason, and no
// error repeats a password.
func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct{ dsn, want string }{
		"no-tls":         {"host=db.example user=u password=pa55w0rd dbname=d", "without TLS"},
		"tls-by-chance":  {"postgres://u:pa55w0rd@db.example/d?sslmode=prefer", "without TLS"},
		"second-no-tls":  {"postgres://u:pa55w0rd@localhost,db.example/d?sslmode=disable", "without TLS"},
		"not-a-string":   {"postgres://u:pa55w0rd@localhost:port/d", "does not parse"},
		"unknown-option": {"host=localhost password=pa55w0rd sslmode=perhaps", "does not parse"},
		"nobody-there":   {"host=/nowhere user=u password=pa55w0rd dbname=d", "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.OpenPostgres(t.Context(), tt.dsn)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "pa55") {
				t.Errorf("got %v, want %q and no password", err, tt.want)
			}
		})
	}
	cluster := pgtest.Start(t)
	other := cluster.Database(t)
	cluster.Run(t, other, "CREATE TABLE tamga_gallery (key bytea PRIMARY KEY, value bytea NOT NULL)")
	if _, err := store.OpenPostgres(t.Context(), other); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a table of another kind: %v, want ErrDamaged", err)
	}
	cluster.Run(t, other, "ALTER SYSTEM SET fsync = off")
	cluster.Run(t, other, "SELECT pg_reload_conf()")
	var err error
	for range 100 {
		if _, err = store.OpenPostgres(t.Context(), other); err != nil && strings.Contains(err.Error(), "fsync") {
			break
		}
		time.Sleep(20 * time.Millisecond) // until the server has read its settings
	}
	if err == nil || !strings.Contains(err.Error(), "fsync") {
		t.Errorf("fsync off: %v", err)
	}
}

// TestServerSays has the server answer in all the ways that matter: what it refuses has
// not happened, and what it warned of at COMMIT may not last.
func TestServerSays(t *testing.T) {
	cluster := postgres.Start(t)
	for name, tt := range map[string]struct {
		does, at string // in PL/pgSQL, when a row is written or at COMMIT
		want     error
	}{
		"disk-full":         {"RAISE EXCEPTION 'SECRET' USING ERRCODE = '53100'", "", store.ErrFull},
		"corrupted":         {"RAISE EXCEPTION 'SECRET' USING ERRCODE = 'XX001'", "", store.ErrDamaged},
		"refused":           {"RAISE EXCEPTION 'SECRET' USING ERRCODE = '42501'", "", store.ErrUnavailable},
		"refused-at-commit": {"RAISE EXCEPTION 'SECRET' USING ERRCODE = '40001'", "DEFERRABLE INITIALLY DEFERRED", store.ErrUnavailable},
		"full-at-commit":    {"RAISE EXCEPTION 'SECRET' USING ERRCODE = '53100'", "DEFERRABLE INITIALLY DEFERRED", store.ErrFull},
		"unknown-at-commit": {"RAISE EXCEPTION 'SECRET' USING ERRCODE = '08007'", "DEFERRABLE INITIALLY DEFERRED", store.ErrInDoubt},
		"warned-at-commit":  {"RAISE WARNING 'SECRET'", "DEFERRABLE INITIALLY DEFERRED", store.ErrInDoubt},
		"warned-before":     {"RAISE WARNING 'SECRET'", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := cluster.Database(t)
			s, err := store.OpenPostgres(t.Context(), dsn)
			opened(t, s, err)
			cluster.Run(t, dsn, "CREATE FUNCTION does() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+tt.does+"; RETURN NULL; END $$")
			cluster.Run(t, dsn, "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON tamga_gallery "+tt.at+" FOR EACH ROW EXECUTE FUNCTION does()")
			err = s.Update(func(txn store.Txn) error { return txn.Set([]byte("a"), []byte("1")) })
			if !errors.Is(err, tt.want) || err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			cluster.Run(t, dsn, "DROP TRIGGER t ON tamga_gallery")
			set(t, s, map[string]string{"b": "2"})
			want := []string{"b=2"}
			if tt.want == nil || name == "warned-at-commit" {
				want = []string{"a=1", "b=2"}
			}
			expect(t, "after it", all(t, s), want...)
		})
	}
}
