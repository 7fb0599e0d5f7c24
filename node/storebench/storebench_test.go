package storebench_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/storebench"
)

// TestMain is also the other processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		if err := storebench.Work(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func small(t *testing.T) storebench.Config {
	return storebench.Config{Dir: t.TempDir(), Worker: []string{os.Args[0], "worker"}, Subjects: 300, Workers: []int{1, 8},
		Time: 100 * time.Millisecond, Say: t.Logf}
}

// TestRun: every store is measured at everything it can do, on the same bytes.
func TestRun(t *testing.T) {
	r, err := storebench.Run(t.Context(), small(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range r.Rows {
		got = append(got, fmt.Sprintf("%s %s %d", w.What, w.Store, w.Workers))
		if w.PerSecond <= 0 || w.P50MS > w.P99MS || (w.Ratio > 0) == (w.Store == "gallery") {
			t.Errorf("%+v: no rate, percentiles out of order, or a ratio where there is none", w)
		}
	}
	want := []string{
		"look-ups gallery 1", "look-ups pseudonym 1", "look-ups badger 1",
		"look-ups gallery 8", "look-ups pseudonym 8", "look-ups badger 8",
		"enrolments gallery 1", "enrolments file 1", "enrolments badger 1",
		"enrolments gallery 8", "enrolments badger 8",
	}
	if !slices.Equal(got, want) {
		t.Errorf("measured %q, want %q", got, want)
	}
	if r.SubjectSize < 2048+3*33 || r.SubjectSize > 4096 || r.Folder < 300*2048 || len(r.Fillings) != 2 || len(r.Notes) != 0 {
		t.Errorf("%d bytes a subject, folder of %d, fillings %v, notes %q", r.SubjectSize, r.Folder, r.Fillings, r.Notes)
	}
	if len(r.Starts) < 2 || r.Starts[len(r.Starts)-1].How != "after kill -9" || len(r.Memory) != 2 {
		t.Errorf("starts %+v, memory %+v", r.Starts, r.Memory)
	}
}

// TestAbsentPeers: a store that cannot be measured is named, with the reason.
func TestAbsentPeers(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := small(t)
	c.Peers, c.Workers = true, []int{1}
	r, err := storebench.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.Contains(n, "Pebble is not measured") && strings.Contains(n, "the go command")
	}) {
		t.Errorf("notes %q", r.Notes)
	}
	if slices.ContainsFunc(r.Rows, func(w storebench.Row) bool { return strings.Contains(w.Store, "Pebble") }) || len(r.Rows) < 6 {
		t.Errorf("rows %+v", r.Rows)
	}
}

// TestLostProcess: a store that ends while it is measured ends the bench.
func TestLostProcess(t *testing.T) {
	c := small(t)
	c.Worker = []string{os.Args[0], "worker", "no-such-kind"}
	if _, err := storebench.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "driving gallery") {
		t.Errorf("error %v", err)
	}
}
