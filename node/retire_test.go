package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/internal/pgtest"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// living is a node that is open, with its root key.
type living struct {
	*node.Node
	t     *testing.T
	dir   string
	roots keystore.Roots
	log   bytes.Buffer
}

// live makes a node and opens it.
func live(t *testing.T, s config.Store) *living {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kaz")
	key, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = founding.Init(founding.Options{Dir: dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now, Store: s}); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir)
}

func reopen(t *testing.T, dir string) *living {
	t.Helper()
	l := &living{t: t, dir: dir}
	var err error
	if l.Node, err = node.Open(t.Context(), filepath.Join(dir, node.ConfigFile), []byte(passphrase), slog.New(slog.NewTextHandler(&l.log, nil)), node.Overrides{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	l.roots.Node = openRoot(t, dir)
	return l
}

func (l *living) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *living) enrol(names ...string) {
	l.t.Helper()
	for _, name := range names {
		r, err := l.Enrol(l.t.Context(), []gallery.Enrolment{killed(name)})
		l.must(err)
		l.must(r[0].Err)
	}
}

// find fails unless all of them are found.
func (l *living) find(names ...string) {
	l.t.Helper()
	for _, name := range names {
		refs, err := l.Gallery().References(passport(name), "finger")
		l.must(err)
		if refs.Len() != 2 {
			l.t.Errorf("%s has %d records", name, refs.Len())
		}
		l.must(refs.Each(func(gallery.Template) error { return nil }))
		refs.Close()
	}
}

func (l *living) activate(f keys.Family) {
	l.t.Helper()
	_, err := rotation.PrepareKey(l.dir, l.roots, f)
	l.must(err)
	_, err = rotation.ActivateKey(l.dir, l.roots, f, time.Now())
	l.must(err)
}

// states are those of a key's generations.
func (l *living) states(f keys.Family) string {
	l.t.Helper()
	families, err := rotation.Keys(l.dir, l.roots, time.Now())
	l.must(err)
	var out []string
	for _, k := range families {
		for _, g := range k.Generations {
			if k.Name == f {
				out = append(out, fmt.Sprint(g.Number, g.State))
			}
		}
	}
	return strings.Join(out, " ")
}

func (l *living) expect(f keys.Family, want string) {
	l.t.Helper()
	if got := l.states(f); got != want {
		l.t.Errorf("%s of %s: %s, want %s", f, filepath.Base(filepath.Dir(l.dir)), got, want)
	}
}

// TestRetireRunning retires keys on an open node, which waits for a backup under way and
// for a command that changes the keystore.
func TestRetireRunning(t *testing.T) {
	l := live(t, config.Store{})
	ctx := t.Context()
	l.enrol("A1", "A2")
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		l.activate(f)
		l.must(l.Turn(ctx))
		l.expect(f, "1old 2active")
		l.enrol("B1" + string(f[:1]))
		_, err := rotation.MarkKey(l.dir, l.roots, f)
		l.must(err)
		l.expect(f, "1retiring 2active")
		if r, err := l.TakeUpKeys(ctx); err != nil || r[f].State != rotation.RetirementRunning || r[f].Keep != 2 || r[f].Total != uint64(l.Gallery().Subjects()) {
			t.Fatalf("%+v, %v", r, err)
		}

		out, in := io.Pipe()
		done := make(chan error, 1) // never blocks
		go func() {
			_, err := l.Backup(ctx, in, recipients(t), nil)
			done <- errors.Join(err, in.Close())
		}()
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		l.must(l.Turn(ctx))
		if r := l.Retirements()[f]; r.State != rotation.RetirementWaiting || len(r.Waiting) != 1 || !strings.Contains(r.Waiting[0], "backup") {
			t.Errorf("during a backup: %+v", r)
		}
		l.expect(f, "1retiring 2active")
		if _, err := io.Copy(io.Discard, out); err != nil {
			t.Fatal(err)
		}
		l.must(<-done)

		l.must(custody.UpdateKeystore(filepath.Join(l.dir, "keystore.json"), l.roots.Node, func(map[string][]byte) error {
			l.must(l.Turn(ctx))
			return nil
		}))
		if r := l.Retirements()[f]; r.State != rotation.RetirementWaiting || len(r.Waiting) != 1 || !strings.Contains(r.Waiting[0], "command") {
			t.Errorf("while another changes the keystore: %+v", r)
		}
		l.must(l.Turn(ctx))
		l.expect(f, "2active")
		l.must(l.Turn(ctx)) // drops it
		if r := l.Retirements(); len(r) != 0 {
			t.Errorf("afterwards: %+v", r)
		}
		l.find("A1", "A2", "B1"+string(f[:1]))
	}
	if _, err := rotation.MarkKey(l.dir, l.roots, keys.KEK); !errors.Is(err, keys.ErrNothingOld) {
		t.Errorf("with nothing old: %v", err)
	}
	// What began with a node that was killed goes on with the next one.
	l.activate(keys.KEK)
	_, err := rotation.MarkKey(l.dir, l.roots, keys.KEK)
	l.must(err)
	l.must(l.Close())
	l = reopen(t, l.dir)
	l.must(l.Turn(ctx))
	l.expect(keys.KEK, "3active")
	l.find("A1", "A2")
}

func recipients(t *testing.T) (out []string) {
	t.Helper()
	for range 2 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Error(err)
			return nil
		}
		out = append(out, id.Recipient().String())
	}
	return out
}

// TestRetireRefused: no two commands at once, and no node that has the gallery open is
// taken for one that is stopped.
func TestRetireRefused(t *testing.T) {
	l := live(t, config.Store{})
	l.activate(keys.KEK)
	file := filepath.Join(l.dir, node.ConfigFile)
	release, err := rotation.Lock(file)
	l.must(err)
	if _, err := rotation.Lock(file); !errors.Is(err, custody.ErrBusy) {
		t.Errorf("a second command: %v", err)
	}
	release()
	if release, err = rotation.Lock(file); err != nil {
		t.Errorf("after it: %v", err)
	}
	release()
	if gone, err := rotation.RetireKey(t.Context(), file, l.roots, keys.KEK, nil); !errors.Is(err, gallery.ErrLocked) {
		t.Errorf("beside a node: %v, %v", gone, err)
	}
	l.expect(keys.KEK, "1retiring 2active") // the node does it
	l.must(l.Close())
	if gone, err := rotation.RetireKey(t.Context(), file, l.roots, keys.KEK, nil); err != nil || !slices.Equal(gone, []uint32{1}) {
		t.Errorf("%v, %v", gone, err)
	}
}

// TestRootRunning replaces the root key under an open node without a pause between steps.
func TestRootRunning(t *testing.T) {
	l := live(t, config.Store{})
	open := func(file string) (custody.Root, error) { return custody.Open(file, []byte(passphrase)) }
	for n := range uint32(3) {
		_, err := rotation.PrepareRoot(l.dir, custody.KindPassphrase, custody.Passphrase([]byte(passphrase), custody.TestParams()), false)
		l.must(err)
		_, err = rotation.ActivateRoot(l.dir, l.roots.Node, open)
		l.must(err)
		l.roots.Node = openRoot(t, l.dir)
		_, err = l.TakeUpKeys(t.Context())
		l.must(err)
		if was, err := rotation.RetireRoot(l.dir, l.roots.Node); err != nil || was != n+1 {
			t.Errorf("retired %d, %v", was, err)
		}
		l.activate(keys.Signing)
		_, err = l.TakeUpKeys(t.Context())
		l.must(err)
	}

	// Killed between the two files, and started before anybody has put the next root file
	// in its place.
	_, err := rotation.PrepareRoot(l.dir, custody.KindPassphrase, custody.Passphrase([]byte(passphrase), custody.TestParams()), false)
	l.must(err)
	before, err := os.ReadFile(keystore.RootFile(l.dir))
	l.must(err)
	next, err := os.ReadFile(keystore.NextRootFile(l.dir))
	l.must(err)
	_, err = rotation.ActivateRoot(l.dir, l.roots.Node, open)
	l.must(err)
	l.must(errors.Join(os.WriteFile(keystore.RootFile(l.dir), before, 0o600), os.WriteFile(keystore.NextRootFile(l.dir), next, 0o600)))
	l.must(l.Close())
	l = reopen(t, l.dir)
	l.must(rotation.SettleRoot(l.dir))
	l.roots.Node = openRoot(t, l.dir)
	_, err = l.TakeUpKeys(t.Context())
	l.must(err)
	_, err = rotation.RetireRoot(l.dir, l.roots.Node)
	l.must(err)
	l.activate(keys.Signing)
	_, err = l.TakeUpKeys(t.Context())
	l.must(err)
}

// TestRotateUnderLoad replaces every key that rotates of a node that runs, while people
// are looked up, enrolled and backed up and the gallery is checked. Nothing fails.
func TestRotateUnderLoad(t *testing.T) {
	l := live(t, config.Store{})
	l.enrol("A1", "A2", "A3")
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx, http.NotFoundHandler()); err != nil {
			t.Error(err)
		}
	})
	var asked, failed atomic.Int64
	to := recipients(t)
	for name, ask := range map[string]func(i int) error{
		"look-up": func(i int) error {
			refs, err := l.Gallery().References(passport(fmt.Sprint("A", 1+i%3)), "finger")
			if err != nil {
				return err
			}
			defer refs.Close()
			if refs.Len() != 2 {
				return fmt.Errorf("%d records", refs.Len())
			}
			return refs.Each(func(gallery.Template) error { return nil })
		},
		"enrolment": func(i int) error {
			r, err := l.Enrol(ctx, []gallery.Enrolment{killed(fmt.Sprint("B", i))})
			if err == nil {
				err = r[0].Err
			}
			return err
		},
		"check": func(int) error {
			if c := l.GalleryCheck(); c.State == checkup.Done && !c.Report.Sound() {
				return fmt.Errorf("%+v", c.Report)
			}
			l.CheckGallery()
			time.Sleep(time.Millisecond) // it goes on by itself
			return nil
		},
		"backup": func(int) error {
			_, err := l.Backup(ctx, io.Discard, to, nil)
			if errors.Is(err, backup.ErrChanged) {
				err = nil // a command changed the keystore meanwhile, which is said
			}
			return err
		},
	} {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				err := ask(i)
				if ctx.Err() != nil {
					return
				}
				asked.Add(1)
				if err != nil {
					failed.Add(1)
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym, keys.Signing, keys.Sealing, rotation.RootKey, keys.Template, keys.KEK} {
		l.replace(ctx, f)
	}
	stop()
	running.Wait()
	t.Logf("%d asked, %d failed", asked.Load(), failed.Load())
}

// replace takes a key from one generation to the next, with the one before destroyed.
func (l *living) replace(ctx context.Context, f keys.Family) {
	l.t.Helper()
	file := filepath.Join(l.dir, node.ConfigFile)
	take := func(step func() error) {
		l.t.Helper()
		err := step()
		for errors.Is(err, custody.ErrBusy) { // the node changes the keystore itself
			err = step()
		}
		l.must(err)
		_, err = l.TakeUpKeys(ctx)
		l.must(err)
	}
	switch f {
	case rotation.RootKey:
		take(func() error {
			_, err := rotation.PrepareRoot(l.dir, custody.KindPassphrase, custody.Passphrase([]byte(passphrase), custody.TestParams()), false)
			return err
		})
		take(func() error {
			_, err := rotation.ActivateRoot(l.dir, l.roots.Node, func(file string) (custody.Root, error) { return custody.Open(file, []byte(passphrase)) })
			return err
		})
		l.roots.Node = openRoot(l.t, l.dir)
		take(func() error { _, err := rotation.RetireRoot(l.dir, l.roots.Node); return err })
		return
	case keys.Template:
		take(func() error { _, err := l.RenewTemplates(ctx); return err })
	default:
		take(func() error { _, err := rotation.PrepareKey(l.dir, l.roots, f); return err })
		take(func() error { _, err := rotation.ActivateKey(l.dir, l.roots, f, time.Now()); return err })
		take(func() error {
			if rotation.IsUsed(f) {
				_, err := rotation.MarkKey(l.dir, l.roots, f)
				return err
			}
			_, err := rotation.RetireKey(ctx, file, l.roots, f, nil)
			return err
		})
	}
	for strings.Contains(l.states(f), " ") {
		if r := l.Retirements()[f]; r.State == rotation.RetirementFailed {
			l.t.Fatalf("%s: %v", f, r.Err)
		}
		time.Sleep(5 * time.Millisecond) // the node is at it
	}
}

// TestRetireReplicas has two nodes on one database, of which one replaces KEK and
// pseudonym key.
func TestRetireReplicas(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(dsn, []byte(pgtest.Start(t).Database(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := live(t, config.Store{Engine: config.EnginePostgres, DSNFile: dsn})
	a.must(a.Close())
	other := filepath.Join(t.TempDir(), "b")
	a.must(os.CopyFS(other, os.DirFS(filepath.Dir(a.dir))))
	ctx := t.Context()
	a, b := reopen(t, a.dir), reopen(t, filepath.Join(other, "kaz"))
	give := func() {
		t.Helper()
		keystore, err := os.ReadFile(filepath.Join(a.dir, "keystore.json"))
		a.must(err)
		a.must(os.WriteFile(filepath.Join(b.dir, "keystore.json"), keystore, 0o600))
	}
	both := func(do func(*living)) { do(a); do(b) }
	both(func(l *living) { l.Meet(ctx) })
	a.enrol("A1")
	b.enrol("B1")
	for _, f := range []keys.Family{keys.KEK, keys.Pseudonym} {
		_, err := rotation.PrepareKey(a.dir, a.roots, f)
		a.must(err)
		give()
		b.must(b.Turn(ctx))
		_, err = rotation.ActivateKey(a.dir, a.roots, f, time.Now())
		a.must(err)
		_, err = rotation.MarkKey(a.dir, a.roots, f)
		a.must(err)
		// It moves everything, and then waits for the other one.
		a.must(a.Turn(ctx))
		a.enrol("A2" + string(f[:1]))
		if r := a.Retirements()[f]; r.State != rotation.RetirementWaiting || len(r.Waiting) != 1 {
			t.Errorf("%s: %+v", f, r)
		}
		a.expect(f, "1retiring 2active")
		b.find("A1", "B1", "A2"+string(f[:1]))
		b.enrol("B2" + string(f[:1]))
		b.expect(f, "1active 2prepared")
		b.Meet(ctx)
		b.Meet(ctx)
		b.expect(f, "1old 2active")
		a.must(a.Turn(ctx))
		a.expect(f, "2active")
		a.must(a.Turn(ctx)) // forgets it
		a.Meet(ctx)
		// And the other one destroys it, too.
		b.must(b.Turn(ctx))
		b.Meet(ctx)
		b.must(b.Turn(ctx))
		b.expect(f, "2active")
		both(func(l *living) { l.must(l.Turn(ctx)); l.find("A1", "B1", "A2"+string(f[:1]), "B2"+string(f[:1])) })
	}
	// Who was away and comes back with a keystore of before does not start.
	b.must(b.Close())
	a.activate(keys.KEK)
	_, err := rotation.MarkKey(a.dir, a.roots, keys.KEK)
	a.must(err)
	a.must(a.Turn(ctx))
	a.expect(keys.KEK, "3active")
	if n, err := node.Open(context.WithoutCancel(ctx), filepath.Join(b.dir, node.ConfigFile), []byte(passphrase), slog.New(slog.DiscardHandler), node.Overrides{}); !errors.Is(err, gallery.ErrOutdated) {
		t.Errorf("opened %v, %v; want ErrOutdated", n, err)
	}
	give()
	b = reopen(t, b.dir)
	b.enrol("B3")
	both(func(l *living) { l.find("A1", "B1", "B3") })
}
