package node_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

const (
	// renewDir tells a copy of the test binary to renew the templates of a node.
	renewDir = "TAMGA_RENEW_TEST_CHILD"
	// renewKills is how often TestRenewKilled kills, in place of its own few.
	renewKills = "TAMGA_RENEW_KILLS"
)

var renewed = synth.New(11, "KAZ")

// faceNode makes a node with some people's faces and returns its folder.
func faceNode(t *testing.T, people int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kaz")
	key, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = founding.Init(founding.Options{Dir: dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r := opened(t, dir)
	var es []gallery.Enrolment
	for i := range people {
		es = append(es, faceEnrolment(i))
	}
	results, err := r.Enrol(t.Context(), es)
	for _, one := range results {
		err = errors.Join(err, one.Err)
	}
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func faceEnrolment(i int) gallery.Enrolment {
	p := renewed.Person(i)
	return gallery.Enrolment{Subject: passport(p.PassportNumber), Templates: []gallery.Template{
		{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()}}}
}

func opened(t *testing.T, dir string) *registrar.Registrar {
	t.Helper()
	r, err := registrar.Open(t.Context(), filepath.Join(dir, node.ConfigFile), []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openRoot(t *testing.T, dir string) custody.Root {
	t.Helper()
	root, err := keystore.OpenRoot(dir, []byte(passphrase), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// templateKeys are the generations of the template key, the last one current.
func templateKeys(t *testing.T, dir string) (numbers []uint32) {
	t.Helper()
	root := openRoot(t, dir)
	defer root.Wipe()
	families, err := rotation.Keys(dir, keystore.Roots{Node: root}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, g := range f.Generations {
			if f.Name == keys.Template {
				numbers = append(numbers, g.Number)
			}
		}
	}
	return numbers
}

// expectFaces fails unless everybody's stored face is that of the person.
func expectFaces(t *testing.T, dir string, people int) {
	t.Helper()
	r := opened(t, dir)
	defer r.Close()
	for i := range people {
		refs, err := r.Gallery.References(faceEnrolment(i).Subject, "face")
		if err != nil || refs.Len() != 1 {
			t.Fatalf("person %d: %d faces, %v", i, refs.Len(), err)
		}
		err = refs.Each(func(stored gallery.Template) error {
			reference, err := exchange.DecodeEmbedding(stored.Data)
			if err != nil {
				return err
			}
			plain, err := exchange.DecodeEmbedding(renewed.Person(i).FaceReference())
			if err != nil {
				return err
			}
			turned, err := r.Keys.Faces.Turn(plain, reference.Model())
			if err != nil {
				return err
			}
			if s, err := face.Compare(turned, reference); s < 1-1e-5 || err != nil {
				return fmt.Errorf("scores %f, %v", s, err)
			}
			return nil
		})
		refs.Close()
		if err != nil {
			t.Fatalf("person %d: %v", i, err)
		}
	}
}

func TestRenewStopped(t *testing.T) {
	const people = 70
	dir := faceNode(t, people)
	root := openRoot(t, dir)
	defer root.Wipe()
	for generation := uint32(2); generation < 4; generation++ {
		steps := 0
		r, err := registrar.RenewTemplates(t.Context(), filepath.Join(dir, node.ConfigFile), keystore.Roots{Node: root}, func(registrar.Renewal) { steps++ })
		if err != nil || r.State != registrar.RenewalDone || r.Generation != generation || r.Renewed != people || r.Resumed ||
			!slices.Equal(r.Destroyed, []uint32{generation - 1}) || steps < 2 {
			t.Fatalf("%+v in %d steps, %v", r, steps, err)
		}
		if got := templateKeys(t, dir); !slices.Equal(got, []uint32{generation}) {
			t.Errorf("generations %d", got)
		}
		expectFaces(t, dir, people)
	}
}

// TestRenewCutOff stops a renewal, after which both secrets are there and work, and a
// node that is started finishes it.
func TestRenewCutOff(t *testing.T) {
	const people = 70
	dir := faceNode(t, people)
	root := openRoot(t, dir)
	defer root.Wipe()
	config := filepath.Join(dir, node.ConfigFile)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := registrar.RenewTemplates(ctx, config, keystore.Roots{Node: root}, func(registrar.Renewal) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped: %v", err)
	}
	if got := templateKeys(t, dir); !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("generations %d", got)
	}
	expectFaces(t, dir, people)

	logged, out := io.Pipe()
	n, err := node.OpenUnsealed(t.Context(), config, keystore.Roots{Node: root}, slog.New(slog.NewTextHandler(out, nil)), node.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx, http.NotFoundHandler()) }()
	lines := bufio.NewScanner(logged)
	for lines.Scan() && !bytes.Contains(lines.Bytes(), []byte("templates renewed")) {
	}
	go io.Copy(io.Discard, logged)
	if r := n.Renewal(); r.State != registrar.RenewalDone || !r.Resumed || r.Generation != 2 || !slices.Equal(r.Destroyed, []uint32{1}) {
		t.Errorf("%+v", r)
	}
	stop()
	if err := errors.Join(<-ended, n.Close(), out.Close()); err != nil {
		t.Error(err)
	}
	if got := templateKeys(t, dir); !slices.Equal(got, []uint32{2}) {
		t.Errorf("generations %d", got)
	}
	expectFaces(t, dir, people)
}

// TestRenewBegunOnce: a renewal that was begun and did no more is gone on with.
func TestRenewBegunOnce(t *testing.T) {
	dir := faceNode(t, 3)
	root := openRoot(t, dir)
	defer root.Wipe()
	r := opened(t, dir)
	for range 2 {
		if _, _, err := registrar.BeginRenewal(t.Context(), r.Dir, keystore.Roots{Node: root}, r.Ledger, r.Entity, time.Now); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got := templateKeys(t, dir); !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("generations %d", got)
	}
	done, err := registrar.RenewTemplates(t.Context(), filepath.Join(dir, node.ConfigFile), keystore.Roots{Node: root}, nil)
	if err != nil || !done.Resumed || done.Generation != 2 || done.Renewed != 3 {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestChildRenews(t *testing.T) {
	dir := os.Getenv(renewDir)
	if dir == "" {
		t.Skip("runs only as the child of TestRenewKilled")
	}
	root := openRoot(t, dir)
	defer root.Wipe()
	_, err := registrar.RenewTemplates(t.Context(), filepath.Join(dir, node.ConfigFile), keystore.Roots{Node: root}, func(r registrar.Renewal) { fmt.Println("step", r.Looked) })
	if err != nil {
		panic(err)
	}
	fmt.Println("done")
}

// TestRenewKilled kills a process with SIGKILL in the middle of renewals, and after
// every time looks at everybody's face. TAMGA_RENEW_KILLS=200 does it longer.
func TestRenewKilled(t *testing.T) {
	const people = 200
	kills := 5
	if n, err := strconv.Atoi(os.Getenv(renewKills)); err == nil {
		kills = n
	}
	dir := faceNode(t, people)
	r := rand.New(rand.NewPCG(1, 2))
	finished, resumed := 0, 0
	for done := 0; done < kills; {
		after := r.IntN(8) // steps to wait for, or so many and the time of a commit or two
		if renewUntilKilled(t, dir, after, time.Duration(r.IntN(20))*time.Millisecond) {
			finished++
		} else {
			done++
		}
		if numbers := templateKeys(t, dir); len(numbers) > 2 {
			t.Fatalf("generations %d", numbers)
		} else if len(numbers) == 2 {
			resumed++
		}
		expectFaces(t, dir, people)
	}
	t.Logf("%d kills, %d of them in the middle of a renewal, %d renewals that were done before the kill", kills, resumed, finished)
}

// renewUntilKilled reports whether the renewal was done before that.
func renewUntilKilled(t *testing.T, dir string, steps int, then time.Duration) bool {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestChildRenews$", "-test.v")
	child.Env = append(os.Environ(), renewDir+"="+dir)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for seen := 0; seen < steps && lines.Scan(); {
		if bytes.HasPrefix(lines.Bytes(), []byte("step")) {
			seen++
		}
	}
	time.Sleep(then) // the moment is the test's input, nothing waits for it
	_ = child.Process.Kill()
	finished := false
	for lines.Scan() {
		finished = finished || lines.Text() == "done"
	}
	return child.Wait() == nil || finished
}

// TestRenewRestored: a key escrow has the secret that the templates of its time are stored
// under, one from before a renewal the old one; with one from after it a backup of before
// has expired.
func TestRenewRestored(t *testing.T) {
	const people = 5
	dir := faceNode(t, people)
	root := openRoot(t, dir)
	defer root.Wipe()
	var identities []age.Identity
	var recipients []string
	for range 2 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		identities, recipients = append(identities, id), append(recipients, id.Recipient().String())
	}
	for generation := uint32(1); generation < 3; generation++ {
		file, made := filepath.Join(t.TempDir(), "kaz.backup"), filepath.Join(t.TempDir(), "made")
		r := opened(t, dir)
		var out bytes.Buffer
		escrow := escrowOf(t, r, recipients, identities[0])
		_, err := node.SourceOf(r).BackUp(t.Context(), &out, recipients, nil)
		if err := errors.Join(err, r.Close(), os.WriteFile(file, out.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		checkpoint, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "kaz.example.checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registrar.RenewTemplates(t.Context(), filepath.Join(dir, node.ConfigFile), keystore.Roots{Node: root}, nil); err != nil {
			t.Fatal(err)
		}
		c, err := backup.Check(t.Context(), file, identities[:1], backup.Signer{}, nil)
		if err == nil {
			_, err = folder.Restore(t.Context(), c, escrow, made, "", nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		// What keeps a restored node from being opened before its ledger is settled.
		err = os.WriteFile(filepath.Join(filepath.Dir(made), "kaz.example.checkpoint"), checkpoint, 0o600)
		if err := errors.Join(err, os.Remove(filepath.Join(made, "data", "recovery.json"))); err != nil {
			t.Fatal(err)
		}
		if got := templateKeys(t, made); !slices.Equal(got, []uint32{generation}) {
			t.Errorf("generations %d", got)
		}
		expectFaces(t, made, people)
	}
}
