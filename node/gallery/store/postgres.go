package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// One table, made when it is missing:
//
//	CREATE TABLE tamga_gallery (key bytea PRIMARY KEY, value bytea NOT NULL)
//
// The row with the empty key is the engine's own: its value is the version of this
// layout, and who updates locks it first. So updates come one at a time, whichever
// process they come from; what they read is the latest; and no look-up waits for them.
const (
	createTable = `CREATE TABLE tamga_gallery (key bytea PRIMARY KEY, value bytea NOT NULL)`
	createTurn  = `INSERT INTO tamga_gallery (key, value) VALUES ('', $1)`
	tableThere  = `SELECT to_regclass('tamga_gallery') IS NOT NULL`
	layout      = "tamga gallery 1"

	takeTurn   = `SELECT value FROM tamga_gallery WHERE key = '' FOR UPDATE`
	selectRows = `SELECT key, value FROM tamga_gallery WHERE key = ANY($1)`
	selectPage = `SELECT key, value FROM tamga_gallery WHERE key >= $1 AND key > '' ORDER BY key LIMIT $2`
	selectPart = `SELECT key, value FROM tamga_gallery WHERE key >= $1 AND key < $3 ORDER BY key LIMIT $2`
	upsertRows = `INSERT INTO tamga_gallery (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[])
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`
	deleteRows = `DELETE FROM tamga_gallery WHERE key = ANY($1)`
)

// session has the server acknowledge nothing before it is on disk. A stricter setting
// of its own stays as it is.
const session = `SELECT set_config('synchronous_commit', 'on', false)
	WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')`

// What transactions begin with. A process that stops in the middle of an update does
// not keep the others from theirs for long.
var (
	beginView   = []string{`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`}
	beginUpdate = []string{`BEGIN ISOLATION LEVEL READ COMMITTED`,
		`SET LOCAL lock_timeout = '20s'`, `SET LOCAL idle_in_transaction_session_timeout = '20s'`, takeTurn}
)

const (
	// connectTime bounds how long a connection may take to come about. Behind several
	// addresses each of them has that long.
	connectTime = 3 * time.Second
	// queryTime bounds an exchange, turnTime the one that waits for the turn; it is
	// longer than lock_timeout.
	queryTime = 10 * time.Second
	turnTime  = 25 * time.Second
	// commitTime bounds the last, which a server that waits for its standby holds up.
	// What it did not answer by then is in doubt.
	commitTime = 10 * time.Second
	pageRows   = 256
)

// Postgres is a store in a database that speaks PostgreSQL's protocol. Several
// processes may share it.
type Postgres struct {
	pool     *pgxpool.Pool
	patience time.Duration // how long a commit may take
}

var _ Store = (*Postgres)(nil)

// OpenPostgres connects to the database that a connection string of libpq's names,
// and makes the table when it is missing. A server reached over a network must have
// TLS; one that forgets what it acknowledged, with fsync off, is refused ([ErrConnection]). Of several
// hosts, the one that takes writes is used. The string may hold a password: no error
// repeats it.
//
// The contexts of those who wait for an update do not end it, since it serves several
// of them; the engine bounds every exchange with the server by itself.
func OpenPostgres(ctx context.Context, connection string) (*Postgres, error) {
	cfg, err := pgxpool.ParseConfig(connection)
	if err != nil {
		return nil, fmt.Errorf("%w: the connection string does not parse", ErrConnection) // err quotes it
	}
	if err := encrypted(cfg.ConnConfig); err != nil {
		return nil, err
	}
	cfg.ConnConfig.ConnectTimeout = connectTime
	cfg.PingTimeout = connectTime
	cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	cfg.ConnConfig.OnNotice = noteWarning
	cfg.BeforeConnect = neverCancel
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.PgConn().Exec(ctx, session).ReadAll()
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, unavailable(err)
	}
	p := &Postgres{pool, commitTime}
	if err := p.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return p, nil
}

// encrypted refuses a configuration under which rows would cross a network in clear.
// They are ciphertext; but who can change them on the way can take them away.
func encrypted(c *pgx.ConnConfig) error {
	clear := func(host string, tls bool) bool { return !tls && !local(host) }
	bad := clear(c.Host, c.TLSConfig != nil)
	for _, f := range c.Fallbacks {
		bad = bad || clear(f.Host, f.TLSConfig != nil)
	}
	if bad {
		return fmt.Errorf("%w: it would be reached over a network without TLS; say sslmode=verify-full in its connection string", ErrConnection)
	}
	return nil
}

func local(host string) bool {
	return len(host) > 0 && host[0] == '/' || host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// neverCancel keeps pgx from asking the server to cancel what is not answered in time:
// a commit that waits for the standby would then become visible without being there.
func neverCancel(_ context.Context, c *pgx.ConnConfig) error {
	dial, connect := c.DialFunc, c.AfterConnect
	connected := new(atomic.Bool)
	c.DialFunc = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		if connected.Load() {
			return nil, errors.New("requests to cancel are not sent")
		}
		return dial(ctx, network, addr)
	}
	c.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		connected.Store(true)
		if connect != nil {
			return connect(ctx, conn)
		}
		return nil
	}
	return nil
}

const warned = "warned"

// noteWarning remembers on the connection that the server warned: it does so when it
// gave up waiting for the standby, and then says COMMIT all the same.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warned] = true
	}
}

// prepare looks at the server and makes the table. Of several processes that make it at
// once one succeeds, and the others look again.
func (p *Postgres) prepare(ctx context.Context) error {
	var fsync string
	if err := p.pool.QueryRow(ctx, `SELECT coalesce(current_setting('fsync', true), 'on')`).Scan(&fsync); err != nil {
		return unavailable(err)
	}
	if fsync == "off" {
		return fmt.Errorf("%w: it runs with fsync off, and forgets with its power what it acknowledged", ErrConnection)
	}
	for tries := 0; ; tries++ {
		var there bool
		if err := p.pool.QueryRow(ctx, tableThere).Scan(&there); err != nil {
			return unavailable(err)
		}
		if there {
			return p.checkLayout(ctx)
		}
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, createTable); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, createTurn, []byte(layout))
			return err
		})
		if err != nil && tries > 0 {
			return unavailable(err)
		}
	}
}

func (p *Postgres) checkLayout(ctx context.Context) error {
	var version []byte
	err := p.pool.QueryRow(ctx, `SELECT value FROM tamga_gallery WHERE key = ''`).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && string(version) != layout {
		return fmt.Errorf("%w: the table in the database is of another kind", ErrDamaged)
	}
	return unavailable(err)
}

// View runs f in a transaction that sees one moment.
func (p *Postgres) View(f func(Reader) error) error {
	return p.with(func(c *pgxpool.Conn) error {
		r := &pgReader{conn: c, begin: beginView}
		defer r.end()
		return f(r)
	})
}

// with lends a connection. One on which a transaction is left open is not used again;
// and where one was lost, the others are not waited for: they lead to the same server.
func (p *Postgres) with(f func(*pgxpool.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryTime)
	defer cancel()
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return unavailable(err)
	}
	defer func() {
		lost := c.Conn().IsClosed()
		if c.Release(); lost {
			p.pool.Reset()
		}
	}()
	return f(c)
}

// Update runs f once it has the turn. It commits even when nothing is staged: only then
// is what f has read known to be where it will not be lost.
func (p *Postgres) Update(f func(Txn) error) error {
	return p.with(func(c *pgxpool.Conn) error {
		t := &pgTxn{pgReader: pgReader{conn: c, begin: beginUpdate}, staged: make(map[string][]byte)}
		defer t.end()
		if err := f(t); err != nil {
			return err
		}
		if err := t.flush(); err != nil || t.begin != nil {
			return err // or nothing was asked
		}
		return p.commit(c.Conn())
	})
}

// commit makes a transaction stand. What the server answers with an error of the
// transaction's is not there; whatever else goes wrong leaves it in doubt.
func (p *Postgres) commit(c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	delete(c.PgConn().CustomData(), warned)
	tag, err := c.Exec(ctx, "COMMIT")
	var refused *pgconn.PgError
	switch {
	case err == nil && c.PgConn().CustomData()[warned] != nil:
		return fmt.Errorf("%w: the server committed with a warning", ErrInDoubt)
	case err == nil && tag.String() == "COMMIT":
		return nil
	case err == nil:
		return fmt.Errorf("%w: the server rolled back", ErrUnavailable)
	case errors.As(err, &refused) && refused.SeverityUnlocalized == "ERROR" && !unknownEnd[refused.Code]:
		return unavailable(err)
	}
	return fmt.Errorf("%w: %v", ErrInDoubt, brief(err))
}

// unknownEnd are transaction_resolution_unknown and statement_completion_unknown.
var unknownEnd = map[string]bool{"08007": true, "40003": true}

// Load copies rows in as one transaction.
func (p *Postgres) Load(rows iter.Seq2[Row, error]) error {
	return p.with(func(c *pgxpool.Conn) error {
		t := &pgReader{conn: c, begin: beginUpdate}
		defer t.end()
		if err := empty(t); err != nil {
			return err
		}
		next, stop := iter.Pull2(rows)
		defer stop()
		var source error
		_, err := c.CopyFrom(context.Background(), pgx.Identifier{"tamga_gallery"}, []string{"key", "value"},
			pgx.CopyFromFunc(func() ([]any, error) {
				row, err, ok := next()
				if source = err; !ok || err != nil {
					return nil, err
				}
				return []any{row.Key, row.Value}, nil
			}))
		if source != nil {
			return source
		}
		if err != nil {
			return unavailable(err)
		}
		return p.commit(c.Conn())
	})
}

// Ready is nil: the server's disk is the server's to watch.
func (p *Postgres) Ready() error { return nil }

// Shared is true.
func (p *Postgres) Shared() bool { return true }

// Close ends the connections.
func (p *Postgres) Close() error {
	p.pool.Close()
	return nil
}

// damage are data_corrupted and index_corrupted.
var damage = map[string]bool{"XX001": true, "XX002": true}

const diskFull = "53100"

// unavailable is what an error of the database comes to before a commit: nothing has
// changed.
func unavailable(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && damage[refused.Code]:
		return fmt.Errorf("%w: %v", ErrDamaged, brief(err))
	case refused != nil && refused.Code == diskFull:
		return fmt.Errorf("%w: %v", ErrFull, brief(err))
	}
	return fmt.Errorf("%w: %v", ErrUnavailable, brief(err))
}

// brief leaves out of the server's errors what may quote a row, or a name.
func brief(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return fmt.Errorf("the database says SQLSTATE %s", refused.Code)
	}
	return err
}
