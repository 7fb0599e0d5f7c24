//go:build linux

// Package ha_test tries the highly available set-up of README.md: three machines with etcd, Patroni and PostgreSQL, two
// that enrol, and a primary that is killed, cut off or frozen. It needs root, Debian's packages postgresql, patroni and
// etcd-server, and six minutes: set TAMGA_HA=1.
package ha_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tamga-id/tamga/node/gallery"
)

func TestMain(m *testing.M) {
	if os.Getenv("TAMGA_HA_WRITER") != "" {
		if err := write(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fault is what happens to a primary, and what undoes it.
type fault struct {
	name        string
	cause, mend func(*cluster, machine)
	lasts       time.Duration
	inPlace     bool // no other takes over
}

func faults() []fault {
	send := func(sig syscall.Signal) func(*cluster, machine) {
		return func(c *cluster, m machine) {
			if err := c.signal(m, sig); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	link := func(state string) func(*cluster, machine) {
		return func(c *cluster, m machine) { run(c.t, "ip", "link", "set", "v-"+m.name, state) }
	}
	return []fault{
		{"server killed", (*cluster).killServer, func(*cluster, machine) {}, 20 * time.Second, true},
		{"machine killed", send(syscall.SIGKILL), func(c *cluster, m machine) { c.startEtcd(m); c.startPatroni(m) }, 40 * time.Second, false},
		{"cut off", link("down"), link("up"), 60 * time.Second, false},
		{"frozen", send(syscall.SIGSTOP), send(syscall.SIGCONT), 60 * time.Second, false},
	}
}

// trial is what was seen of a fault.
type trial struct {
	fault         string
	began, ended  time.Time
	elected, back time.Duration
	to, lateWrite string
}

// TestFailOver: with the primary killed, cut off or frozen under load no acknowledged enrolment is lost, none that was
// refused is there, and those that could not be told are found out afterwards.
func TestFailOver(t *testing.T) {
	if os.Getenv("TAMGA_HA") == "" {
		t.Skip("set TAMGA_HA=1: it needs root, postgresql, patroni and etcd-server, and takes six minutes")
	}
	c := newCluster(t)
	c.makeDatabase()
	logs := c.startWriters()
	time.Sleep(10 * time.Second)
	var trials []trial
	for _, f := range faults() {
		trials = append(trials, c.try(f))
	}
	for _, w := range c.writers {
		if err := c.signal(w, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	c.writing.Wait()
	c.check(trials, read(t, logs))
}

// try causes a fault, waits for another primary, mends it and waits for the former to follow.
func (c *cluster) try(f fault) trial {
	before := c.state()
	if !whole(before) {
		c.t.Fatalf("%s: the cluster is not whole before", f.name)
	}
	m := c.member(before.leader)
	late := c.writeLate(m)
	r := trial{fault: f.name, began: time.Now()}
	c.t.Logf("%s: %s", f.name, m.name)
	f.cause(c, m)
	if !f.inPlace {
		took, ok := c.await(90*time.Second, func(s state) bool { return s.leader != "" && s.leader != m.name })
		if r.elected = took; !ok {
			c.t.Errorf("%s: no other primary", f.name)
		}
	}
	time.Sleep(max(0, f.lasts-time.Since(r.began)))
	f.mend(c, m)
	r.lateWrite = late()
	mended := time.Now()
	if _, ok := c.await(3*time.Minute, whole); !ok {
		c.t.Errorf("%s: the former primary did not come back", f.name)
	}
	if !f.inPlace {
		r.back = time.Since(mended)
	}
	r.to = c.state().leader
	time.Sleep(10 * time.Second)
	r.ended = time.Now()
	c.t.Logf("%s: %s leads after %s, whole %s after mending, late write %s", f.name, r.to, r.elected, r.back, r.lateWrite)
	return r
}

// writeLate begins a transaction on a primary; what it returns commits it, and says what became of it. A former primary
// that acknowledges it although the others do not have it is a second primary.
func (c *cluster) writeLate(m machine) func() string {
	ctx := c.t.Context()
	conn, err := pgx.Connect(ctx, c.dsnOf("postgres", "postgres", m.address))
	if err != nil {
		c.t.Fatal(err)
	}
	mark := m.name + time.Now().String()
	for _, sql := range []string{"CREATE TABLE IF NOT EXISTS late (mark text)", "BEGIN", "INSERT INTO late VALUES ('" + mark + "')"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			c.t.Fatal(err)
		}
	}
	return func() string {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		defer conn.Close(ctx)
		tag, err := conn.Exec(ctx, "COMMIT")
		if err != nil || tag.String() != "COMMIT" {
			return "not acknowledged"
		}
		now, err := pgx.Connect(ctx, c.dsnOf("postgres", "postgres", c.member(c.state().leader).address))
		if err != nil {
			c.t.Error(err)
			return "unknown"
		}
		defer now.Close(ctx)
		var n int
		if err := now.QueryRow(ctx, "SELECT count(*) FROM late WHERE mark = $1", mark).Scan(&n); err != nil || n != 1 {
			c.t.Errorf("%s acknowledged what the primary does not have (%d, %v)", m.name, n, err)
			return "lost"
		}
		return "acknowledged"
	}
}

func (c *cluster) startWriters() []string {
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	var logs []string
	for i, w := range c.writers {
		log := filepath.Join(c.dir, w.name+".writes")
		logs = append(logs, log)
		out, err := os.Create(filepath.Join(c.dir, w.name+".log"))
		if err != nil {
			c.t.Fatal(err)
		}
		defer out.Close()
		cmd := exec.Command("ip", "netns", "exec", w.name, self)
		cmd.Env = append(os.Environ(), "TAMGA_HA_WRITER="+strconv.Itoa(i+1), "TAMGA_HA_LOG="+log, "TAMGA_HA_DSN="+c.dsn(), "TAMGA_HA_DIR="+filepath.Join(w.dir, "gallery"))
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			c.t.Fatal(err)
		}
		c.writing.Go(func() {
			if err := cmd.Wait(); err != nil {
				c.t.Errorf("writer %s: %v", w.name, err)
			}
		})
	}
	return logs
}

// written is one line of a writer's log: what became of an enrolment.
type written struct {
	outcome string // acknowledged, doubt or refused
	at      time.Time
	id      string
	there   bool // as looked up at the end
}

func read(t *testing.T, logs []string) (out []written) {
	t.Helper()
	for _, name := range logs {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			fields := strings.Fields(s.Text())
			if len(fields) != 3 {
				continue // it was cut off with the writer
			}
			ms, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, written{outcome: fields[0], at: time.UnixMilli(ms), id: fields[2]})
		}
		_ = f.Close()
	}
	slices.SortFunc(out, func(a, b written) int { return a.at.Compare(b.at) })
	return out
}

// longestPause is the longest time without an acknowledgement between two moments.
func longestPause(all []written, from, to time.Time) (longest time.Duration) {
	last := from
	for _, w := range all {
		if w.outcome == "acknowledged" && w.at.After(from) && w.at.Before(to) {
			longest, last = max(longest, w.at.Sub(last)), w.at
		}
	}
	return max(longest, to.Sub(last))
}

// check looks every enrolment up, and prints what became of them.
func (c *cluster) check(trials []trial, all []written) {
	c.t.Helper()
	g, err := gallery.Open(configuration(c.t.Context(), filepath.Join(c.dir, "checker"), c.dsn()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer g.Close()
	for i := range all {
		refs, err := g.References(identifier(all[i].id), "finger")
		if err != nil {
			c.t.Fatal(err)
		}
		all[i].there = refs.Known && refs.Len() == 1
		refs.Close()
		if all[i].outcome == "doubt" {
			c.settle(g, all[i].id)
		}
	}
	count := func(from, to time.Time) map[string]int {
		n := make(map[string]int)
		for _, w := range all {
			if w.at.Before(from) || w.at.After(to) {
				continue
			}
			if n[w.outcome]++; w.there {
				n[w.outcome+" there"]++
			}
		}
		return n
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "primary\tother primary after\tpause\tback after\tlate write\tacknowledged\tlost\tin doubt\tthere\trefused\tthere")
	seconds := func(d time.Duration) string {
		if d == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	row := func(r trial, pause string) {
		n := count(r.began, r.ended)
		lost := n["acknowledged"] - n["acknowledged there"]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", r.fault, seconds(r.elected), pause, seconds(r.back), r.lateWrite,
			n["acknowledged"], lost, n["doubt"], n["doubt there"], n["refused"], n["refused there"])
		if n["acknowledged"] == 0 || lost > 0 || n["refused there"] > 0 {
			c.t.Errorf("%s: %v", r.fault, n)
		}
	}
	for _, r := range trials {
		row(r, seconds(longestPause(all, r.began, r.ended)))
	}
	row(trial{fault: "all", lateWrite: "-", ended: time.Now()}, "-")
	_ = w.Flush()
	c.t.Logf("\n%s", table.String())
}

// settle enrols again who was in doubt: then one is there, whether or not the first was.
func (c *cluster) settle(g *gallery.Gallery, id string) {
	c.t.Helper()
	if outcome, err := enrol(g, id); err != nil {
		c.t.Errorf("%s once more: %s, %v", id, outcome, err)
	}
	refs, err := g.References(identifier(id), "finger")
	if err != nil {
		c.t.Fatal(err)
	}
	defer refs.Close()
	if !refs.Known || refs.Len() != 1 {
		c.t.Errorf("%s once more: %d templates", id, refs.Len())
	}
}
