//go:build linux

// Package partition_test cuts a node off from the others for a while, on hosts of their own with a line that delays and
// loses packets, and goes on asking in every direction. See README.md for figures.
package partition_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	cutFor = flag.Duration("cut", 12*time.Second, "how long the node is cut off; longer than a question takes to fail")
	pace   = flag.Duration("pace", 500*time.Millisecond, "the time between two questions of each pair")
)

const (
	passphrase = "correct horse battery staple"
	steady     = 2 * time.Second  // before the cut, and after the last answer that did not come
	patience   = 60 * time.Second // for the return of the last pair; a failure beyond, not a measurement
)

var program string // the tamga command

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tamga-partition")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "tamga")
		return m.Run()
	}())
}

var build = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", program, "../cmd/tamga").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// TestCut: a node that is cut off and comes back is asked, and asks, all the while. Every question has an outcome,
// none but matched or unavailable with a code; whom the cut does not concern notices nothing; and afterwards all are
// answered again.
func TestCut(t *testing.T) {
	rights(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	for _, over := range []string{"tcp", "quic"} {
		t.Run(over, func(t *testing.T) {
			t.Parallel()
			testCut(t, over)
		})
	}
}

func testCut(t *testing.T, over string) {
	made := time.Now()
	f := newFederation(t, over)
	var pairs []*pair
	for _, from := range f.nodes {
		for _, to := range f.nodes {
			if from != to {
				pairs = append(pairs, &pair{from: from, to: to})
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asking sync.WaitGroup
	for _, p := range pairs {
		asking.Go(func() { p.ask(ctx) })
	}
	away := f.nodes[1]
	begun := time.Now()
	await(t, "before the cut", func() bool {
		return !slices.ContainsFunc(pairs, func(p *pair) bool { return !p.answeredFor(begun, steady) })
	})
	began := time.Now()
	away.cut.Store(true)
	time.Sleep(*cutFor)
	away.cut.Store(false)
	healed := time.Now()
	concerned := func(p *pair) bool { return p.from == away || p.to == away }
	await(t, "after the cut", func() bool {
		return !slices.ContainsFunc(pairs, func(p *pair) bool { return concerned(p) && !p.answeredFor(healed, steady) })
	})
	t.Logf("%s: made in %v, cut after %v for %v, whole %v later", over, begun.Sub(made), began.Sub(begun), healed.Sub(began), time.Since(healed))
	stop()
	asking.Wait()
	for _, p := range pairs {
		s := p.sum(began, healed)
		t.Logf("%s: %s", over, s)
		if s.none > 0 {
			t.Errorf("%d questions of %s without an outcome, such as %s", s.none, p, s.example)
		}
		if s.before == 0 || s.after == 0 {
			t.Errorf("%s: no answer before the cut or none after it", p)
		}
		if !concerned(p) && len(s.codes) > 0 {
			t.Errorf("%s, whom the cut does not concern: %v", p, s.codes)
		}
	}
	for _, n := range f.nodes {
		t.Logf("%s: to %s %d packets, and %d lost", over, n.name, n.moved.Load(), n.lost.Load())
	}
}

// await waits until all questions are answered.
func await(t *testing.T, when string, whole func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !whole(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not all questions are answered %s, in %v", when, patience)
			return
		}
	}
}

// node is a country's node on its host.
type node struct {
	*host
	country string
	dir     string
	token   string
	client  *http.Client
	subject map[string]string // of its register
	probe   []byte
}

// federation is three nodes and an anchor, each on its own host.
type federation struct{ nodes []*node }

const (
	anchorAt = "127.0.0.1:8440"
	apiAt    = "127.0.0.1:7443"
	port     = "4001"
)

var number = regexp.MustCompile(`:(passport):([A-Z0-9]+)`)

func newFederation(t *testing.T, over string) *federation {
	t.Helper()
	dir, err := os.MkdirTemp("", "tamga-partition-"+over)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the processes of the hosts
		if t.Failed() {
			t.Logf("logs are in %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	pass := filepath.Join(dir, "pass")
	must(t, os.WriteFile(pass, []byte(passphrase+"\n"), 0o600))
	tamga := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("tamga %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	_, hosts := newNetwork(t, "kaz", "kgz", "uzb", "anchor")
	anchor := hosts[3]
	anchorDir := filepath.Join(dir, "anchor")
	tamga("anchor", "init", "--dir", anchorDir, "--entity-id", "https://anchor.test", "--listen", anchorAt, "--passphrase-file", pass)
	f := new(federation)
	for _, h := range hosts[:3] {
		n := &node{host: h, country: strings.ToUpper(h.name), dir: filepath.Join(dir, h.name)}
		f.nodes = append(f.nodes, n)
		tamga("init", "--dir", n.dir, "--entity-id", "https://"+h.name+".test", "--jurisdiction", n.country, "--anchor", filepath.Join(anchorDir, "trust-anchor.json"),
			"--listen", net.JoinHostPort(h.addr.String(), port), "--api", apiAt, "--refresh", "1s", "--passphrase-file", pass)
		only(t, filepath.Join(n.dir, "tamga.yaml"), over)
		people := filepath.Join(dir, "people-"+h.name)
		found := number.FindStringSubmatch(tamga("sandbox", "identities", "--country", n.country, "--count", "1", "--out", people, "-o", "json"))
		n.subject = map[string]string{"jurisdiction": n.country, "type": found[1], "value": found[2]}
		tamga("enrol", "import", "--dir", n.dir, "--passphrase-file", pass, filepath.Join(people, "people.ndjson"))
		n.probe, err = os.ReadFile(filepath.Join(people, "0-face.emb"))
		must(t, err)
		token, err := os.ReadFile(filepath.Join(n.dir, "api-token"))
		must(t, err)
		n.token = strings.TrimSpace(string(token))
		n.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return h.dial(ctx, addr) }}}
		h.forward(t, anchorAt, net.JoinHostPort(anchor.addr.String(), port))
	}
	launch(t, dir, anchor, "anchor", "serve", "--dir", anchorDir, "--passphrase-file", pass)
	anchor.forward(t, net.JoinHostPort(anchor.addr.String(), port), anchorAt)
	for _, n := range f.nodes {
		launch(t, dir, n.host, "run", "--dir", n.dir, "--passphrase-file", pass)
	}
	for _, n := range f.nodes { // once it runs it has written down the addresses that it listens on
		n.await(t, 0)
		tamga("anchor", "enroll", "--dir", anchorDir, "--jurisdiction", n.country, "--passphrase-file", pass, filepath.Join(n.dir, "entity-configuration.jwt"))
	}
	for _, n := range f.nodes {
		n.await(t, len(f.nodes)-1)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// only leaves a node the addresses of one transport: Queries to it go over that.
func only(t *testing.T, file, over string) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	other := map[string]string{"tcp": "/udp/", "quic": "/tcp/"}[over]
	lines := slices.DeleteFunc(strings.SplitAfter(string(b), "\n"), func(s string) bool { return strings.Contains(s, "- /ip4/") && strings.Contains(s, other) })
	must(t, os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600))
}

// launch runs tamga on a host until the test ends, with its log beside its folder.
func launch(t *testing.T, dir string, h *host, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, h.name+".log"))
	must(t, err)
	defer log.Close()
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = log, log
	must(t, h.run(c))
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		if err := c.Wait(); err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
	})
}

// await waits until the node runs and knows its peers.
func (n *node) await(t *testing.T, peers int) {
	t.Helper()
	var s struct{ Members []struct{} }
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = n.call(t.Context(), http.MethodGet, "/v1/status", nil, &s); err == nil && len(s.Members) >= peers {
			return
		}
	}
	t.Fatalf("%s knows %d peers, want %d: %v", n.name, len(s.Members), peers, err)
}

func (n *node) call(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+apiAt+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// pair is who asks whom.
type pair struct {
	from, to *node

	mu    sync.Mutex
	asked []question
}

// question is what came of one.
type question struct {
	at, done      time.Time
	outcome, code string
	err           error
}

func (q question) matched() bool { return q.err == nil && q.outcome == "matched" }

func (p *pair) String() string { return p.from.country + " asks " + p.to.country }

// ask puts a question at every beat, whatever became of the ones before, until ctx ends, and waits for all.
func (p *pair) ask(ctx context.Context) {
	body, err := json.Marshal(map[string]any{"subject": p.to.subject, "purpose": "border_control", "legal_basis": "public_task", "officer": "counter",
		"probes": []map[string]any{{"modality": "face", "format": "tamga-embedding-1", "data": p.to.probe}}})
	if err != nil {
		panic(err) // strings and bytes
	}
	every := time.NewTicker(*pace)
	defer every.Stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		open.Go(func() {
			q := question{at: time.Now()}
			var out struct{ Outcome, Code string }
			q.err = p.from.call(context.WithoutCancel(ctx), http.MethodPost, "/v1/verifications", body, &out)
			q.done, q.outcome, q.code = time.Now(), out.Outcome, out.Code
			p.mu.Lock()
			p.asked = append(p.asked, q)
			p.mu.Unlock()
		})
	}
}

// answeredFor reports whether every question that was put in the last while was answered, none of them before since.
func (p *pair) answeredFor(since time.Time, while time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := since
	for _, q := range p.asked {
		if !q.matched() && q.at.After(last) {
			last = q.at
		}
	}
	return slices.ContainsFunc(p.asked, func(q question) bool { return q.matched() && q.at.Sub(last) >= while })
}

// sum is what became of a pair's questions.
type sum struct {
	pair                  *pair
	before, during, after int            // answered, by when they were put
	codes                 map[string]int // of those that were not
	none                  int            // without an outcome
	example               string
	first                 time.Duration // from the end of the cut to the first answer
	all                   time.Duration // and to when every question put from then on was answered
	slowest               time.Duration // of the answers to what was put after that
}

func (p *pair) sum(began, healed time.Time) sum {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := sum{pair: p, codes: map[string]int{}, first: -1}
	for _, q := range p.asked {
		switch {
		case q.matched() && q.at.Before(began):
			s.before++
		case q.matched() && q.at.Before(healed):
			s.during++
		case q.matched():
			s.after++
		case q.err == nil && q.outcome == "unavailable" && q.code != "":
			s.codes[q.code]++
		default:
			s.none++
			s.example = fmt.Sprintf("outcome %q, code %q, %v", q.outcome, q.code, q.err)
		}
		if d := q.done.Sub(healed); q.matched() && d > 0 && (s.first < 0 || d < s.first) {
			s.first = d
		}
		if !q.matched() {
			s.all = max(s.all, q.at.Sub(healed))
		}
	}
	for _, q := range p.asked {
		if q.matched() && q.at.Sub(healed) > s.all {
			s.slowest = max(s.slowest, q.done.Sub(q.at))
		}
	}
	return s
}

func (s sum) String() string {
	out := fmt.Sprintf("%s: %d answered before, %d during, %d after", s.pair, s.before, s.during, s.after)
	for _, code := range slices.Sorted(maps.Keys(s.codes)) {
		out += fmt.Sprintf(", %d %s", s.codes[code], code)
	}
	return out + fmt.Sprintf("; first answer %v after the cut, all from %v on, slowest %v", s.first.Round(time.Millisecond), s.all.Round(time.Millisecond), s.slowest.Round(time.Millisecond))
}
