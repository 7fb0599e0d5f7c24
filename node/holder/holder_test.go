package holder_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/holder"
)

var update = flag.Bool("update", false, "rewrite the seeds of the fuzz target")

var passport = pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: "N1234567"}

// nodeKey is the key of the node's certificate.
var (
	nodeKey = holder.ClientKey([32]byte{1})
	nodes   = []ed25519.PublicKey{nodeKey.Public().(ed25519.PublicKey)}
)

type world struct {
	t       *testing.T
	top     string
	folders []*holder.Folder
	listens []net.Listener
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) dir(i int) string { return filepath.Join(w.top, fmt.Sprint("h", i+1)) }

func (w *world) open(i int) *holder.Folder {
	w.t.Helper()
	root, err := custody.Open(filepath.Join(w.dir(i), holder.RootFile), []byte("pass"))
	w.must(err)
	defer root.Wipe()
	f, err := holder.OpenFolder(w.dir(i), root)
	w.must(err)
	w.t.Cleanup(f.Close)
	return f
}

func newWorld(t *testing.T, n int) *world {
	t.Helper()
	w := &world{t: t, top: t.TempDir()}
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		w.must(err)
		t.Cleanup(func() { _ = l.Close() })
		_, err = holder.Make(w.dir(i), fmt.Sprintf("holder-%c", 'a'+i), l.Addr().String(), custody.Passphrase([]byte("pass"), custody.TestParams()))
		w.must(err)
		w.listens, w.folders = append(w.listens, l), append(w.folders, w.open(i))
	}
	return w
}

func (w *world) deal(threshold int) (dealings []holder.Dealing) {
	w.t.Helper()
	var cards []holder.Card
	for i := len(w.folders) - 1; i >= 0; i-- { // their order is of no matter
		cards = append(cards, w.folders[i].Card())
	}
	for _, f := range w.folders {
		d, err := f.Deal(threshold, cards)
		w.must(err)
		again, err := holder.ParseDealing(d.Encode())
		w.must(err)
		dealings = append(dealings, again)
	}
	return dealings
}

func (w *world) join() (c holder.Committee) {
	w.t.Helper()
	dealings := w.deal(2)
	for i, f := range w.folders {
		mine, err := f.Join(dealings)
		w.must(err)
		if i > 0 && mine.Fingerprint() != c.Fingerprint() {
			w.t.Fatalf("holder %d has another committee", i+1)
		}
		c = mine
	}
	return c
}

// serve runs holder i until stop, with the share of f.
func (w *world) serve(i int, f *holder.Folder, o holder.Options) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clients == nil {
		o.Clients = []ed25519.PublicKey{nodeKey.Public().(ed25519.PublicKey)}
	}
	wg.Go(func() {
		if err := f.Serve(ctx, w.listens[i], o); err != nil {
			w.t.Errorf("holder %d: %v", i+1, err)
		}
	})
	done := func() { cancel(); wg.Wait() }
	w.t.Cleanup(done)
	return done
}

func (w *world) client(c holder.Committee, key ed25519.PrivateKey) (*holder.Client, func() []holder.Failure) {
	w.t.Helper()
	cl, err := holder.NewClient(c, key)
	w.must(err)
	w.t.Cleanup(cl.Close)
	var mu sync.Mutex
	var failures []holder.Failure
	cl.Watch(func(f holder.Failure) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, f)
	})
	return cl, func() []holder.Failure {
		mu.Lock()
		defer mu.Unlock()
		defer func() { failures = nil }()
		return failures
	}
}

// TestCommittee: three processes hold the key, any two give the element, one alone does
// not, and they log counts alone.
func TestCommittee(t *testing.T) {
	w := newWorld(t, 3)
	c := w.join()
	c, err := holder.ParseCommittee(c.Encode())
	w.must(err)
	var log lines
	stop := w.serve(0, w.open(0), holder.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	stopB := w.serve(1, w.open(1), holder.Options{})
	w.serve(2, w.open(2), holder.Options{})
	cl, failures := w.client(c, nodeKey)
	want, err := cl.Key().Element(passport)
	w.must(err)
	if f := failures(); len(f) != 0 {
		t.Errorf("failures %v", f)
	}
	stop()
	cl.Close()
	for range 2 { // told once
		got, err := cl.Key().Element(passport)
		if got != want || err != nil {
			t.Errorf("without a holder: another element, %v", err)
		}
	}
	if f := failures(); len(f) != 1 || f[0].Holder != "holder-a" || f[0].Lies {
		t.Errorf("failures %v", f)
	}
	stopB()
	cl.Close()
	if got, err := cl.Key().Element(passport); !errors.Is(err, pseudonym.ErrHolders) || got != (pseudonym.Element{}) {
		t.Errorf("one holder alone: %v", err)
	}
	text := log.String()
	if !strings.Contains(text, "answered=1") || strings.Contains(text, "N1234567") || strings.Count(text, "\n") != 1 {
		t.Errorf("logged %q", text)
	}
}

type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// TestLyingHolder answers with a share of another key, and with a wrong proof: it is named.
func TestLyingHolder(t *testing.T) {
	w := newWorld(t, 3)
	c := w.join()
	other := newWorld(t, 3)
	theirs := other.join()
	w.serve(0, w.open(0), holder.Options{})
	w.serve(2, w.open(2), holder.Options{})
	cl, _ := w.client(c, nodeKey)
	want, err := cl.Key().Element(passport)
	w.must(err)

	// Another share behind the committee's address and key: the committee lies about itself.
	forged := c
	forged.Holders = append([]holder.Member(nil), c.Holders...)
	forged.Holders[1].Public = theirs.Holders[1].Public
	if _, err := holder.NewClient(forged, nodeKey); !errors.Is(err, pseudonym.ErrTerms) {
		t.Errorf("a committee with a foreign share: %v", err)
	}
	// The right key of the certificate and another share in the keystore.
	root, err := custody.Open(filepath.Join(w.dir(1), holder.RootFile), []byte("pass"))
	w.must(err)
	defer root.Wipe()
	w.must(custody.UpdateKeystore(filepath.Join(w.dir(1), "keystore.json"), root, func(secrets map[string][]byte) error {
		secrets["share"] = bytes.Repeat([]byte{5}, 31)
		secrets["share"] = append(secrets["share"], 0)
		return nil
	}))
	w.serve(1, holder.Lying(w.open(1), c.Holders[1].Public), holder.Options{})
	liar, failures := w.client(c, nodeKey)
	got, err := liar.Key().Element(passport)
	if got != want || err != nil {
		t.Errorf("beside a liar: another element, %v", err)
	}
	if f := failures(); len(f) != 1 || f[0].Holder != "holder-b" || !f[0].Lies || !errors.Is(f[0].Err, pseudonym.ErrProof) {
		t.Errorf("failures %v", f)
	}
}

// TestStrangers: a holder answers nobody but the node, and the node asks nobody else.
func TestStrangers(t *testing.T) {
	w := newWorld(t, 2)
	c := w.join()
	for i := range 2 {
		w.serve(i, w.open(i), holder.Options{})
	}
	cl, _ := w.client(c, holder.ClientKey([32]byte{2}))
	if _, err := cl.Key().Element(passport); !errors.Is(err, pseudonym.ErrHolders) {
		t.Errorf("a stranger is answered: %v", err)
	}
	swapped := c
	swapped.Holders = append([]holder.Member(nil), c.Holders...)
	swapped.Holders[0].Address, swapped.Holders[1].Address = c.Holders[1].Address, c.Holders[0].Address
	cl, failures := w.client(swapped, nodeKey)
	if _, err := cl.Key().Element(passport); !errors.Is(err, pseudonym.ErrHolders) {
		t.Errorf("a stranger is asked: %v", err)
	}
	if f := failures(); len(f) != 2 || f[0].Lies {
		t.Errorf("failures %v", f)
	}
	cl, _ = w.client(c, nodeKey)
	_, err := cl.Key().Element(passport)
	w.must(err)
}

// TestIdleStrangers: whoever opens connections and is silent on them does not keep the node out.
func TestIdleStrangers(t *testing.T) {
	w := newWorld(t, 2)
	c := w.join()
	for i := range 2 {
		w.serve(i, w.open(i), holder.Options{})
		for range 100 {
			idle, err := net.Dial("tcp", c.Holders[i].Address)
			w.must(err)
			t.Cleanup(func() { _ = idle.Close() })
		}
	}
	cl, _ := w.client(c, nodeKey)
	_, err := cl.Key().Element(passport)
	w.must(err)
}

// TestRate: what is more than the rate is refused, and counted.
func TestRate(t *testing.T) {
	w := newWorld(t, 2)
	c := w.join()
	at := time.Unix(0, 0)
	var log lines
	now := func() time.Time { return at } // stands still
	stop := w.serve(0, w.open(0), holder.Options{Rate: 0.3, Now: now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	w.serve(1, w.open(1), holder.Options{})
	cl, failures := w.client(c, nodeKey)
	cl.Hurry()
	for range 3 {
		_, err := cl.Key().Element(passport)
		w.must(err)
	}
	if _, err := cl.Key().Element(passport); !errors.Is(err, pseudonym.ErrHolders) {
		t.Errorf("beyond the rate: %v", err)
	}
	if f := failures(); len(f) != 1 || f[0].Holder != "holder-a" || f[0].Lies {
		t.Errorf("failures %v", f)
	}
	stop()
	if text := log.String(); !strings.Contains(text, "answered=3 too_many=1 malformed=0 total=3") {
		t.Errorf("logged %q", text)
	}
}

// TestQueue: who asks for more than the rate waits for his turn instead of failing.
func TestQueue(t *testing.T) {
	w := newWorld(t, 2)
	c := w.join()
	var mu sync.Mutex
	at := time.Unix(0, 0)
	clock := func() time.Time { // asked twice for an answer and once for a refusal
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(800 * time.Millisecond)
		return at
	}
	var log lines
	stop := w.serve(0, w.open(0), holder.Options{Rate: 0.3, Now: clock, Log: slog.New(slog.NewTextHandler(&log, nil))})
	w.serve(1, w.open(1), holder.Options{})
	cl, failures := w.client(c, nodeKey)
	for range 7 {
		_, err := cl.Key().Element(passport)
		w.must(err)
	}
	if f := failures(); len(f) != 0 {
		t.Errorf("failures %v", f)
	}
	stop()
	if text := log.String(); !strings.Contains(text, "answered=7") || strings.Contains(text, "too_many=0") {
		t.Errorf("logged %q", text)
	}
}

// TestJoinRefuses dealings that are not one of each holder to the same holders.
func TestJoinRefuses(t *testing.T) {
	w := newWorld(t, 3)
	other := newWorld(t, 3)
	d, again, theirs := w.deal(2), w.deal(2), other.deal(2)
	spoilt := d[1]
	spoilt.Sealed = append([]string(nil), d[1].Sealed...)
	spoilt.Sealed[0] = d[1].Sealed[1]
	for name, c := range map[string]struct {
		dealings []holder.Dealing
		want     error
	}{
		"none": {nil, holder.ErrForeign}, "two": {d[:2], holder.ErrForeign}, "twice": {[]holder.Dealing{d[0], d[1], d[1]}, holder.ErrForeign},
		"others": {theirs, holder.ErrForeign}, "mixed": {[]holder.Dealing{d[0], d[1], theirs[2]}, holder.ErrForeign},
		"not-to-me": {[]holder.Dealing{d[0], spoilt, d[2]}, holder.ErrForeign},
	} {
		if got, err := w.folders[0].Join(c.dealings); !errors.Is(err, c.want) || got.Threshold != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.folders[0].Committee(); !errors.Is(err, holder.ErrNotJoined) {
		t.Errorf("a committee before the holder joined: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	if err := w.folders[0].Serve(t.Context(), l, holder.Options{}); !errors.Is(err, holder.ErrNotJoined) {
		t.Errorf("served before the holder joined: %v", err)
	}
	c, err := w.folders[0].Join(d)
	w.must(err)
	// As after a crash between share and committee.
	w.must(os.Remove(filepath.Join(w.dir(0), holder.CommitteeFile)))
	same, err := w.open(0).Join(d)
	if err != nil || same.Fingerprint() != c.Fingerprint() {
		t.Errorf("joining again: %v", err)
	}
	if _, err := w.folders[0].Join(again); !errors.Is(err, holder.ErrJoined) {
		t.Errorf("joining with other dealings: %v", err)
	}
	if _, err := w.folders[0].Deal(2, d[0].Cards); !errors.Is(err, holder.ErrJoined) {
		t.Errorf("dealing after joining: %v", err)
	}
	if _, err := w.folders[1].Deal(2, d[0].Cards[:1]); !errors.Is(err, holder.ErrForeign) {
		t.Errorf("dealing to others alone: %v", err)
	}
}

// TestReplace: holders go over to the multiple of their key one after another, without a
// restart, answer for both until they retire the one before, and only for the new one then.
func TestReplace(t *testing.T) {
	w := newWorld(t, 3)
	c := w.join()
	w.must(w.listens[2].Close())
	now := time.Unix(0, 0)
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(2 * time.Second)
		return now
	}
	for i := range 2 {
		w.serve(i, w.open(i), holder.Options{Now: clock})
	}
	old, _ := w.client(c, nodeKey)
	e, err := old.Key().Element(passport)
	w.must(err)
	factor, err := pseudonym.NewFactor()
	w.must(err)
	r, err := c.Replace(factor, nodeKey)
	w.must(err)
	if r, err = holder.ParseReplacement(r.Encode(), nodes); err != nil {
		t.Fatal(err)
	}
	next, err := c.Times(factor)
	w.must(err)
	cl, _ := w.client(next, nodeKey)
	if _, err := cl.Key().Element(passport); !errors.Is(err, pseudonym.ErrHolders) {
		t.Errorf("answered before the holders replaced anything: %v", err)
	}
	for i := range 2 {
		for range 2 { // the second time changes nothing
			got, err := w.open(i).Replace(r)
			if err != nil || got.Fingerprint() != next.Fingerprint() {
				t.Fatalf("holder %d: another committee, %v", i+1, err)
			}
		}
	}
	// As after a crash between share and committee.
	w.must(os.WriteFile(filepath.Join(w.dir(0), holder.CommitteeFile), c.Encode(), 0o644))
	if got, err := w.open(0).Replace(r); err != nil || got.Fingerprint() != next.Fingerprint() {
		t.Fatalf("after a crash: another committee, %v", err)
	}
	want, err := cl.Key().Element(passport)
	w.must(err)
	if want == e {
		t.Error("the element stayed")
	}
	if got, err := old.Key().Element(passport); got != e || err != nil {
		t.Errorf("the key before: another element, %v", err)
	}
	more, err := next.Replace(factor, nodeKey)
	w.must(err)
	if _, err := w.open(0).Replace(more); !errors.Is(err, holder.ErrOverlap) {
		t.Errorf("replaced twice: %v", err)
	}
	if _, err := w.open(2).Replace(more); !errors.Is(err, holder.ErrForeign) {
		t.Errorf("a replacement of another key: %v", err)
	}
	for i := range 2 {
		w.must(w.open(i).Retire())
	}
	if err := w.open(0).Retire(); !errors.Is(err, holder.ErrNothingOld) {
		t.Errorf("retired twice: %v", err)
	}
	// They go on with the old share until they look again, for instance when started.
	shares := holder.Held(t, w.open(0))
	if len(shares) != 1 || !bytes.Equal(shares[0], next.Holders[0].Public) {
		t.Errorf("holder 1 answers for %d shares", len(shares))
	}
}

// TestEditedDealing: one changed byte anywhere is told.
func TestEditedDealing(t *testing.T) {
	w := newWorld(t, 2)
	text := w.deal(2)[0].Encode()
	for at := 0; at < len(text); at += 7 {
		b := bytes.Clone(text)
		b[at] ^= 1
		if _, err := holder.ParseDealing(b); !errors.Is(err, holder.ErrFormat) && !errors.Is(err, holder.ErrSignature) && !errors.Is(err, holder.ErrForeign) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	for n := range 40 {
		if _, err := holder.ParseDealing(text[:len(text)*n/40]); err == nil {
			t.Fatalf("cut off after %d parts", n)
		}
	}
}

func FuzzFiles(f *testing.F) {
	for _, name := range []string{"card.json", "committee.json", "dealing.json", "replacement.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := holder.ParseCard(b); err == nil && !bytes.Equal(c.Encode(), b) {
			t.Error("card encodes to other bytes")
		}
		if c, err := holder.ParseCommittee(b); err == nil && !bytes.Equal(c.Encode(), b) {
			t.Error("committee encodes to other bytes")
		}
		if r, err := holder.ParseReplacement(b, nodes); err == nil && !bytes.Equal(r.Encode(), b) {
			t.Error("replacement encodes to other bytes")
		}
		if d, err := holder.ParseDealing(b); err == nil && !bytes.Equal(d.Encode(), b) {
			t.Error("dealing encodes to other bytes")
		}
	})
}

// TestSeeds: what the fuzz target starts from is read.
func TestSeeds(t *testing.T) {
	w := newWorld(t, 2)
	if *update {
		w.must(os.MkdirAll("testdata", 0o755))
		w.must(os.WriteFile(filepath.Join("testdata", "card.json"), w.folders[0].Card().Encode(), 0o644))
		w.must(os.WriteFile(filepath.Join("testdata", "dealing.json"), w.deal(2)[0].Encode(), 0o644))
		c := w.join()
		factor, err := pseudonym.NewFactor()
		w.must(err)
		r, err := c.Replace(factor, nodeKey)
		w.must(err)
		w.must(os.WriteFile(filepath.Join("testdata", "committee.json"), c.Encode(), 0o644))
		w.must(os.WriteFile(filepath.Join("testdata", "replacement.json"), r.Encode(), 0o644))
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		w.must(err)
		return b
	}
	_, err := holder.ParseCard(read("card.json"))
	w.must(err)
	_, err = holder.ParseCommittee(read("committee.json"))
	w.must(err)
	_, err = holder.ParseDealing(read("dealing.json"))
	w.must(err)
	_, err = holder.ParseReplacement(read("replacement.json"), nodes)
	w.must(err)
}
