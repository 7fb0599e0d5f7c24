package node_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/pgtest"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// configure appends sections to the configuration.
func (v *vault) configure(text string) {
	v.t.Helper()
	path := filepath.Join(v.dir, node.ConfigFile)
	b, err := os.ReadFile(path)
	v.must(errors.Join(err, os.WriteFile(path, append(b, text...), 0o644)))
}

// running opens the node at a time that the test sets.
func (v *vault) running(now *time.Time) *node.Node {
	v.t.Helper()
	n, err := node.Open(v.t.Context(), filepath.Join(v.dir, node.ConfigFile), []byte(passphrase), slog.New(slog.DiscardHandler),
		node.Overrides{Now: func() time.Time { return *now }})
	v.must(err)
	return n
}

// keks are the numbers of the KEKs, the current one with a star.
func (v *vault) keks(now time.Time) (out []string, overdue bool) {
	v.t.Helper()
	root := openRoot(v.t, v.dir)
	defer root.Wipe()
	families, err := rotation.Keys(v.dir, keystore.Roots{Node: root}, now)
	v.must(err)
	for _, f := range families {
		for _, g := range f.Generations {
			if f.Name == keys.KEK {
				out = append(out, fmt.Sprint(g.Number)+map[string]string{"active": "*", "retiring": "-"}[g.State])
				overdue = f.Overdue
			}
		}
	}
	return out, overdue
}

func (v *vault) escrow(file string) *backup.Escrow {
	v.t.Helper()
	e, err := backup.OpenEscrow(file, []age.Identity{v.id}, backup.Signer{})
	v.must(err)
	return e
}

// TestRetention: with kek.retention a backup opens for at least half of it and never
// longer than it, and nobody has to do anything; the key escrow follows.
func TestRetention(t *testing.T) {
	v := newVault(t)
	file, who := filepath.Join(v.top, "safe.tamga-escrow"), filepath.Join(v.top, "who.txt")
	v.must(os.WriteFile(who, []byte("# directors\n"+strings.Join(v.recipients, "\n")+"\n"), 0o600))
	v.configure(fmt.Sprintf("\nkek: {retention: 20d}\nbackup: {escrow_file: %s, escrow_recipients: %s}\n", file, who))
	v.enrol("A1", "B2")
	v.take("first")
	begin := time.Now()
	now := begin
	day := func(n int) { now = begin.Add(time.Duration(n) * 24 * time.Hour) }
	expect := func(want ...string) {
		t.Helper()
		if got, overdue := v.keks(now); !slices.Equal(got, want) || overdue {
			t.Errorf("day %.1f: KEKs %v, overdue %v; want %v", now.Sub(begin).Hours()/24, got, overdue, want)
		}
	}
	opens := func(is bool) {
		t.Helper()
		c, err := backup.Check(t.Context(), v.file("first", backup.BackupEnding), []age.Identity{v.id}, backup.Signer{}, nil)
		v.must(err)
		if err := v.escrow(file).Covers(c.Manifest); (err == nil) != is || err != nil && !errors.Is(err, backup.ErrExpired) {
			t.Errorf("day %.1f: the first backup: %v", now.Sub(begin).Hours()/24, err)
		}
	}
	n := v.running(&now)
	n.Turn(t.Context())
	expect("1*")
	opens(true)
	day(9)
	n.Turn(t.Context())
	expect("1*")
	day(10)
	now = now.Add(time.Minute)
	n.Turn(t.Context())
	expect("1", "2*")
	opens(true)
	// A restart changes nothing.
	v.must(n.Close())
	n = v.running(&now)
	day(19)
	n.Turn(t.Context())
	expect("1", "2*")
	opens(true)
	day(20)
	now = now.Add(2 * time.Minute)
	n.Turn(t.Context())
	n.Turn(t.Context())
	expect("2", "3*")
	opens(false)
	if got := n.Attention(); len(got) != 0 {
		t.Errorf("attention %v", got)
	}
	v.must(n.Close())

	// Down for long: told of it, and made good.
	day(90)
	if got, overdue := v.keks(now); !overdue || !slices.Equal(got, []string{"2", "3*"}) {
		t.Errorf("KEKs %v, overdue %v", got, overdue)
	}
	n = v.running(&now)
	n.Turn(t.Context())
	n.Turn(t.Context())
	expect("3", "4*")
	v.must(n.Close())
	made, err := func() (string, error) {
		v.take("last")
		return v.restore("last", "last")
	}()
	v.must(err)
	if got, err := v.read(made, "A1"); string(got) != "template of A1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestEscrowKept: the key escrow of the configuration is written anew when keys change or
// what opens them, when it is lost, and when a crash came between key and escrow; never
// over another file, and somebody is told when it cannot be.
func TestEscrowKept(t *testing.T) {
	v := newVault(t)
	file, who := filepath.Join(v.top, "safe", "kaz.tamga-escrow"), filepath.Join(v.top, "who.txt")
	v.must(os.WriteFile(who, []byte(strings.Join(v.recipients, "\n")), 0o600))
	v.configure(fmt.Sprintf("\nbackup: {escrow_file: %s, escrow_recipients: %s}\n", file, who))
	now := time.Now()
	n := v.running(&now)
	defer func() { v.must(n.Close()) }()
	turn := func(want ...attention.Matter) {
		t.Helper()
		n.Turn(t.Context())
		if got := n.Attention(); !slices.Equal(got, want) {
			t.Errorf("attention %v, want %v", got, want)
		}
	}
	turn(attention.EscrowStale) // there is no folder
	v.must(os.Mkdir(filepath.Dir(file), 0o700))
	turn()
	before, err := os.ReadFile(file)
	v.must(err)
	turn()
	if after, err := os.ReadFile(file); string(after) != string(before) {
		t.Errorf("written anew without need: %v", err)
	}
	root := openRoot(t, v.dir)
	defer root.Wipe()
	_, err = rotation.PrepareKey(v.dir, keystore.Roots{Node: root}, keys.KEK)
	v.must(err) // and then somebody was killed
	turn()
	if got := v.escrow(file).Manifest.Keys[keys.KEK]; !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("KEKs in the escrow: %v", got)
	}
	v.must(os.Remove(file))
	turn()
	v.escrow(file)
	v.must(os.WriteFile(file, []byte("something that somebody needs"), 0o600))
	turn(attention.EscrowStale)
	if b, err := os.ReadFile(file); string(b) != "something that somebody needs" {
		t.Errorf("written over another file: %v", err)
	}
	v.must(os.Remove(file))
	// The command does the same at once.
	if written, err := folder.RefreshEscrow(v.dir, root, now); written != file || err != nil {
		t.Errorf("%q, %v", written, err)
	}
	if written, err := folder.RefreshEscrow(v.dir, root, now); written != "" || err != nil {
		t.Errorf("again: %q, %v", written, err)
	}
	turn()
}

// TestRetentionShared: nodes on one database each have a keystore, which their operators
// copy. None replaces the KEK under the other's feet; both say that it is due.
func TestRetentionShared(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(dsn, []byte(pgtest.Start(t).Database(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := live(t, config.Store{Engine: config.EnginePostgres, DSNFile: dsn})
	a.must(a.Close())
	v := &vault{t: t, dir: a.dir}
	v.configure("\nkek: {retention: 20d}\n")
	other := filepath.Join(t.TempDir(), "b")
	a.must(os.CopyFS(other, os.DirFS(filepath.Dir(a.dir))))
	w := &vault{t: t, dir: filepath.Join(other, "kaz")}
	now := time.Now().Add(30 * 24 * time.Hour)
	one, two := v.running(&now), w.running(&now)
	for range 2 { // as Run does before it looks at keys
		one.Meet(t.Context())
		two.Meet(t.Context())
	}
	v.must(one.Turn(t.Context()))
	v.must(two.Turn(t.Context()))
	for _, n := range []*node.Node{one, two} {
		if got := n.Attention(); !slices.Equal(got, []attention.Matter{attention.KEKOverdue}) {
			t.Errorf("attention %v", got)
		}
	}
	if got, overdue := v.keks(now); !overdue || !slices.Equal(got, []string{"1*"}) {
		t.Errorf("KEKs %v, overdue %v", got, overdue)
	}
	// Alone again, it does it.
	v.must(two.Close())
	one.Meet(t.Context())
	v.must(one.Turn(t.Context()))
	if got, overdue := v.keks(now); overdue || !slices.Equal(got, []string{"1", "2*"}) {
		t.Errorf("KEKs %v, overdue %v", got, overdue)
	}
	v.must(one.Close())
}

// TestEscrowAnnounced: a node that has not run since its federation key was replaced signs
// with the one that its Entity Configuration names, or nobody could verify its backups.
func TestEscrowAnnounced(t *testing.T) {
	v := newVault(t)
	file, who := filepath.Join(v.top, "kaz.tamga-escrow"), filepath.Join(v.top, "who.txt")
	v.must(os.WriteFile(who, []byte(strings.Join(v.recipients, "\n")), 0o600))
	v.configure(fmt.Sprintf("\nbackup: {escrow_file: %s, escrow_recipients: %s}\n", file, who))
	root := openRoot(t, v.dir)
	defer root.Wipe()
	for _, step := range []func() error{
		func() error {
			_, err := rotation.PrepareKey(v.dir, keystore.Roots{Node: root}, keys.Federation)
			return err
		},
		func() error {
			_, err := rotation.ActivateKey(v.dir, keystore.Roots{Node: root}, keys.Federation, time.Now())
			return err
		},
	} {
		v.must(step())
		_, err := folder.RefreshEscrow(v.dir, root, time.Now())
		v.must(err)
		v.escrow(file)
		v.take("x")
		_, err = v.restore("x", "x")
		v.must(err)
		v.must(os.Remove(v.file("x", backup.BackupEnding)))
	}
}
