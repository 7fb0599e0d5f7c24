package node_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// The campaign: go test ./node -run TestKilled -kills 240 -v -timeout 2h
var kills = flag.Int("kills", 10, "how often TestKilled kills a process")

// Where a child works, at what, and to whom it encrypts backups.
const (
	killDir  = "TAMGA_NODE_TEST_KILL"
	killWork = "TAMGA_NODE_TEST_KILL_WORK"
	killAge  = "TAMGA_NODE_TEST_KILL_RECIPIENTS"
)

// works is what a child can be killed at, and within which time after it began.
var works = map[string]time.Duration{
	"start": 120 * time.Millisecond, "enrol": 200 * time.Millisecond, "erase": 300 * time.Millisecond,
	"rotate": 500 * time.Millisecond, "backup": 300 * time.Millisecond, "escrow": 60 * time.Millisecond,
	"retire": 700 * time.Millisecond,
}

// killed is the enrolment of a person whose templates follow from the name: a small one
// and one of the size that goes to Badger's value log.
func killed(name string) gallery.Enrolment {
	template := func(position uint8, times int) gallery.Template {
		return gallery.Template{Modality: "finger", Format: "test", Position: position, Data: bytes.Repeat([]byte(name+" "), times)}
	}
	return gallery.Enrolment{Subject: passport(name), Templates: []gallery.Template{template(1, 3), template(2, 300)}}
}

// TestKilledChild is what TestKilled kills. It says what it is about to do, and what is
// done.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("runs only as the child of TestKilled")
	}
	c := child{dir: dir, config: filepath.Join(dir, node.ConfigFile), to: strings.Fields(os.Getenv(killAge))}
	work := os.Getenv(killWork)
	if err := map[string]func(context.Context) error{"start": c.enrol, "enrol": c.enrol, "erase": c.erase, "rotate": c.rotate, "backup": c.backup, "escrow": c.escrow, "retire": c.retire}[work](t.Context()); err != nil {
		fmt.Printf("fault %v\n", err)
		t.Fatal(err)
	}
}

type child struct {
	dir, config string
	to          []string
	mu          sync.Mutex
	n           int
}

func (c *child) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func (c *child) names(n int) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.n++
		names = append(names, fmt.Sprintf("P%dN%d", os.Getpid(), c.n))
	}
	return names
}

func (c *child) open(ctx context.Context) (*registrar.Registrar, error) {
	return registrar.Open(ctx, c.config, []byte(passphrase))
}

// enroller is a node that runs, or one that does not.
type enroller interface {
	Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error)
}

// some enrols n people at once.
func (c *child) some(ctx context.Context, r enroller, n int) ([]string, error) {
	names := c.names(n)
	var batch []gallery.Enrolment
	for _, name := range names {
		batch = append(batch, killed(name))
	}
	results, err := r.Enrol(ctx, batch)
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		if result.Change != gallery.Created {
			return nil, fmt.Errorf("%s: %w", result.Change, result.Err)
		}
		c.say("enrolled %s", names[i])
	}
	return names, nil
}

func (c *child) enrol(ctx context.Context) error {
	r, err := c.open(ctx)
	if err != nil {
		return err
	}
	c.say("begins")
	faults := make(chan error)
	for _, size := range []int{1, 1, 10} {
		go func() {
			for {
				if _, err := c.some(ctx, r, size); err != nil {
					faults <- err
				}
			}
		}()
	}
	return <-faults
}

func (c *child) erase(ctx context.Context) error {
	r, err := c.open(ctx)
	for begun := false; err == nil; begun = true {
		var names []string
		if names, err = c.some(ctx, r, 20); err != nil {
			break
		}
		if !begun {
			c.say("begins")
		}
		for _, name := range names[5:] {
			c.say("erasing %s", name)
			var records int
			if records, err = r.Erase(ctx, passport(name)); err != nil || records != 2 {
				return fmt.Errorf("erased %d records: %w", records, err)
			}
			c.say("erased %s", name)
		}
	}
	return err
}

// root is the root key that the keystore is sealed under, as commands open it.
func (c *child) root() (custody.Root, error) {
	if err := rotation.SettleRoot(c.dir); err != nil {
		return custody.Root{}, err
	}
	return custody.Open(keystore.RootFile(c.dir), []byte(passphrase))
}

// rotate does with the KEK, the pseudonym key and the root key whatever comes next, over
// and over.
func (c *child) rotate(ctx context.Context) error {
	root, err := c.root()
	if err != nil {
		return err
	}
	c.say("begins")
	for n := rand.IntN(3); ; n++ { // whichever first, or one of them would hardly be killed at
		family := []keys.Family{keys.KEK, keys.Pseudonym, rotation.RootKey}[n%3]
		for range 3 {
			if root, err = c.step(ctx, root, family); err != nil {
				return err
			}
		}
	}
}

// step takes the next step of a rotation. It returns the root key that there is then.
func (c *child) step(ctx context.Context, root custody.Root, of keys.Family) (custody.Root, error) {
	families, err := rotation.Keys(c.dir, keystore.Roots{Node: root}, time.Now())
	if err != nil {
		return root, err
	}
	in := func(state string) bool {
		return slices.ContainsFunc(families, func(f rotation.KeyFamily) bool {
			return f.Name == of && slices.ContainsFunc(f.Generations, func(g rotation.Generation) bool { return g.State == state })
		})
	}
	open := func(file string) (custody.Root, error) { return custody.Open(file, []byte(passphrase)) }
	switch isRoot := of == rotation.RootKey; {
	case in("old") && isRoot:
		_, err = rotation.RetireRoot(c.dir, root)
	case in("old"), in("retiring"):
		_, err = rotation.RetireKey(ctx, c.config, keystore.Roots{Node: root}, of, nil)
		c.say("retired")
	case in("prepared") && isRoot:
		if _, err = rotation.ActivateRoot(c.dir, root, open); err == nil {
			root, err = open(keystore.RootFile(c.dir))
		}
	case in("prepared"):
		_, err = rotation.ActivateKey(c.dir, keystore.Roots{Node: root}, of, time.Now())
	case isRoot:
		_, err = rotation.PrepareRoot(c.dir, custody.KindPassphrase, custody.Passphrase([]byte(passphrase), custody.TestParams()), false)
	default:
		_, err = rotation.PrepareKey(c.dir, keystore.Roots{Node: root}, of)
	}
	return root, err
}

// retire replaces KEK and pseudonym key of a node that runs, over and over, and enrols
// meanwhile.
func (c *child) retire(ctx context.Context) error {
	root, err := c.root()
	if err != nil {
		return err
	}
	n, err := node.Open(ctx, c.config, []byte(passphrase), slog.New(slog.DiscardHandler), node.Overrides{})
	if err != nil {
		return err
	}
	faults := make(chan error)
	go func() { faults <- n.Run(ctx, http.NotFoundHandler()) }()
	c.say("begins")
	go func() {
		for {
			if _, err := c.some(ctx, n, 5); err != nil {
				faults <- err
			}
		}
	}()
	go func() {
		for i := rand.IntN(2); ; i++ {
			if err := c.retireRunning(ctx, n, keystore.Roots{Node: root}, []keys.Family{keys.KEK, keys.Pseudonym}[i%2]); err != nil {
				faults <- err
			}
		}
	}()
	return <-faults
}

// retireRunning takes a key from where it is to its next generation, with those before
// destroyed.
func (c *child) retireRunning(ctx context.Context, n *node.Node, roots keystore.Roots, f keys.Family) error {
	for _, step := range []func() (uint32, error){
		func() (uint32, error) { return rotation.PrepareKey(c.dir, roots, f) },
		func() (uint32, error) { return rotation.ActivateKey(c.dir, roots, f, time.Now()) },
		func() (uint32, error) { return rotation.MarkKey(c.dir, roots, f) },
	} {
		_, err := step()
		for errors.Is(err, custody.ErrBusy) { // the node destroys what an earlier child began to retire
			_, err = step()
		}
		if err != nil && !errors.Is(err, keys.ErrPrepared) {
			return err
		}
	}
	for {
		if _, err := n.TakeUpKeys(ctx); err != nil {
			return err
		}
		families, err := rotation.Keys(c.dir, roots, time.Now())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(families, func(k rotation.KeyFamily) bool { return k.Name == f && len(k.Generations) > 1 }) {
			c.say("retired")
			return nil
		}
		time.Sleep(5 * time.Millisecond) // it is to be killed anywhere
	}
}

func (c *child) backup(ctx context.Context) error {
	r, err := c.open(ctx)
	if err != nil {
		return err
	}
	c.say("begins")
	for {
		if _, err := c.some(ctx, r, 1); err != nil {
			return err
		}
		name := filepath.Join(filepath.Dir(c.dir), c.names(1)[0]+".backup")
		f, err := os.Create(name + ".partial")
		if err != nil {
			return err
		}
		if _, err := node.SourceOf(r).BackUp(ctx, f, c.to, nil); err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close(), c.writeEscrow(ctx, r), os.Rename(name+".partial", name)); err != nil {
			return err
		}
		c.say("wrote %s", name)
	}
}

// escrowFile is where the children write the key escrow.
func escrowFile(dir string) string {
	return filepath.Join(filepath.Dir(dir), "kaz"+backup.EscrowEnding)
}

func (c *child) writeEscrow(ctx context.Context, r *registrar.Registrar) error {
	b, _, err := node.SourceOf(r).Escrow(ctx, c.to)
	if err == nil {
		err = custody.WriteFile(escrowFile(c.dir), b)
	}
	return err
}

// escrow writes the key escrow over and over.
func (c *child) escrow(ctx context.Context) error {
	r, err := c.open(ctx)
	if err == nil {
		err = c.writeEscrow(ctx, r)
	}
	if err != nil {
		return err
	}
	c.say("begins")
	for {
		if err := c.writeEscrow(ctx, r); err != nil {
			return err
		}
	}
}

// campaign is what the children said that must hold.
type campaign struct {
	dir      string
	identity *age.X25519Identity
	to       string
	enrolled map[string]bool // who must be there; false for who may be either
	erased   map[string]bool // who must not
	backups  []string        // that are whole, not yet tried
	tried    int
	retired  int
	lost     int
	killed   map[string]int
}

// TestKilled kills processes that enrol, erase, rotate keys and back up, one node's
// over and over, at random moments. Whatever they had acknowledged holds. The moment
// does not decide whether the test passes.
func TestKilled(t *testing.T) {
	c := newCampaign(t)
	order := []string{"enrol", "retire", "erase", "rotate", "backup", "escrow", "start"}
	for i := range *kills {
		work := order[i%len(order)]
		fresh := c.runUntilKilled(t, work)
		c.killed[work]++
		if i%20 == 19 {
			fresh = nil // everything
		}
		c.check(t, fresh)
	}
	c.check(t, nil)
	t.Logf("%d kills %v: %d people acknowledged and there, %d erased and gone, %d backups verified, %d retirements of keys acknowledged, %d lost",
		*kills, c.killed, len(c.enrolled), len(c.erased), c.tried, c.retired, c.lost)
}

func newCampaign(t *testing.T) *campaign {
	t.Helper()
	c := &campaign{dir: filepath.Join(t.TempDir(), "kaz"), enrolled: make(map[string]bool), erased: make(map[string]bool), killed: make(map[string]int)}
	key, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = founding.Init(founding.Options{Dir: c.dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if c.identity, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	c.to = c.identity.Recipient().String() + " " + other.Recipient().String()
	return c
}

// runUntilKilled returns who a child spoke of before it was killed.
func (c *campaign) runUntilKilled(t *testing.T, work string) (spoken []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	child.Env = append(os.Environ(), killDir+"="+c.dir, killWork+"="+work, killAge+"="+c.to)
	var stderr, other bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() *time.Timer {
		return time.AfterFunc(rand.N(works[work]), func() { _ = child.Process.Kill() })
	}
	var killing *time.Timer
	if work == "start" {
		killing = kill()
	}
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // what was being said was not heard
		}
		what, who, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "begins":
			if killing == nil {
				killing = kill()
			}
		case "enrolled":
			c.enrolled[who] = true
		case "erasing":
			c.enrolled[who] = false
		case "erased":
			delete(c.enrolled, who)
			c.erased[who] = true
		case "wrote":
			c.backups = append(c.backups, who)
		case "retired":
			c.retired++
		default:
			other.WriteString(line)
		}
		if what == "enrolled" || what == "erasing" {
			spoken = append(spoken, who)
		}
	}
	ended := child.Wait()
	if killing == nil || killing.Stop() || child.ProcessState.Exited() {
		t.Fatalf("the child at %s stopped by itself: %v\n%s%s", work, ended, other.Bytes(), stderr.Bytes())
	}
	return spoken
}

// check opens the node and looks for these people, or for everybody, and tries the
// backups that were written.
func (c *campaign) check(t *testing.T, names []string) {
	t.Helper()
	r, err := registrar.Open(t.Context(), filepath.Join(c.dir, node.ConfigFile), []byte(passphrase))
	if err != nil {
		t.Fatalf("the node does not open after a kill: %v", err)
	}
	if names == nil {
		for name := range c.enrolled {
			names = append(names, name)
		}
		for name := range c.erased {
			names = append(names, name)
		}
	}
	for _, name := range names {
		c.look(t, r.Gallery, name)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var escrow *backup.Escrow
	if _, err := os.Stat(escrowFile(c.dir)); err == nil {
		if escrow, err = backup.OpenEscrow(escrowFile(c.dir), []age.Identity{c.identity}, backup.Signer{}); err != nil {
			t.Fatalf("the key escrow after a kill: %v", err)
		}
	}
	for _, file := range c.backups {
		if escrow == nil {
			t.Fatal("there is a backup and no key escrow")
		}
		checked, err := backup.Check(t.Context(), file, []age.Identity{c.identity}, backup.Signer{}, nil)
		if err == nil {
			err = checked.Restore(t.Context(), file+".restored", escrow, nil)
		}
		if err == nil {
			err = checked.Audit(t.Context(), file+".restored")
		}
		if err == nil {
			_, err = openRestored(t, file+".restored")
		}
		if err != nil {
			t.Fatalf("a backup that was acknowledged: %v", err)
		}
		if err := errors.Join(os.RemoveAll(file+".restored"), os.Remove(file)); err != nil {
			t.Fatal(err)
		}
		c.tried++
	}
	c.backups = nil
}

// look finds one person as the children left it.
func (c *campaign) look(t *testing.T, g *gallery.Gallery, name string) {
	t.Helper()
	must, enrolled := c.enrolled[name]
	refs, err := g.References(passport(name), "finger")
	if err != nil {
		t.Fatalf("looking up: %v", err)
	}
	defer refs.Close()
	switch {
	case !enrolled && refs.Known:
		c.lost++
		t.Error("somebody who was erased is there")
		return
	case must && !refs.Known:
		c.lost++
		t.Error("somebody who was enrolled is lost")
		return
	case !refs.Known:
		delete(c.enrolled, name) // the erasure under way was carried out, and that stays
		c.erased[name] = true
		return
	}
	want := killed(name).Templates
	i := 0
	err = refs.Each(func(t gallery.Template) error {
		if i >= len(want) || !bytes.Equal(t.Data, want[i].Data) {
			return errors.New("another record")
		}
		i++
		return nil
	})
	if err != nil || i != len(want) {
		c.lost++
		t.Errorf("%d records of %d: %v", i, len(want), err)
	}
	if !must {
		c.enrolled[name] = true // the erasure under way left no trace
	}
}
