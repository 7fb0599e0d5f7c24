package responder_test

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/responder"
)

// reach is how long after it was first seen a Query can still pass its times.
const reach = protocol.MaxLifetime + protocol.MaxSkew

func TestReplayGenerations(t *testing.T) {
	var m responder.ReplayMemory
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	for i, step := range []struct {
		issuer, jti string
		at          float64
		fresh       bool
	}{
		{"a", "1", 0, true},
		{"a", "1", 0, false},
		{"b", "1", 0, true}, // another issuer's identifiers are its own
		{"a", "2", 40, true},
		{"a", "1", 64.9, false},
		{"a", "3", 80, true}, // a new generation
		{"a", "2", 104.9, false},
		{"a", "3", 144.9, false},
		{"a", "4", 170, true},    // the third
		{"a", "3", 144.9, false}, // the clock 25 s back
		{"a", "1", 170, true},    // long expired
	} {
		fresh, err := m.Fresh(step.issuer, step.jti, at(step.at))
		if err != nil || fresh != step.fresh {
			t.Fatalf("step %d: %s/%s at %v: fresh %t, %v", i, step.issuer, step.jti, step.at, fresh, err)
		}
	}
}

// TestReplayClockBack: a clock that is set back must not make a forgotten Query pass
// for a new one.
func TestReplayClockBack(t *testing.T) {
	var m responder.ReplayMemory
	check := func(jti string, at time.Duration) (bool, error) { return m.Fresh("a", jti, start.Add(at)) }
	if fresh, err := check("1", 0); !fresh || err != nil {
		t.Fatal(fresh, err)
	}
	for i := range 4 { // four generations: the first is gone
		if fresh, err := check("x"+strconv.Itoa(i), time.Duration(i+1)*90*time.Second); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
	}
	if fresh, err := check("1", 30*time.Second); fresh || err == nil {
		t.Fatalf("a forgotten Query is fresh %t, %v", fresh, err)
	}
	if fresh, err := check("2", 30*time.Second); fresh || err == nil {
		t.Fatalf("what cannot be told is fresh %t, %v", fresh, err)
	}
	if fresh, err := check("2", 400*time.Second); !fresh || err != nil {
		t.Fatal("no way back to service", fresh, err)
	}
}

// TestReplaySilentMember: what a member left that has gone silent is dropped when
// another's generation ends, and that is remembered, too.
func TestReplaySilentMember(t *testing.T) {
	var m responder.ReplayMemory
	for _, step := range []struct {
		issuer string
		at     time.Duration
	}{{"silent", 0}, {"silent", 70 * time.Second}, {"busy", 0}, {"busy", 200 * time.Second}} {
		if fresh, err := m.Fresh(step.issuer, step.at.String(), start.Add(step.at)); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
	}
	if fresh, err := m.Fresh("silent", "1m10s", start.Add(100*time.Second)); fresh || err == nil {
		t.Fatalf("fresh %t, %v", fresh, err)
	}
}

// TestReplayModel checks the memory against one that forgets nothing: within a
// Query's reach nothing is fresh twice, and with a clock that runs forward
// everything new is fresh.
func TestReplayModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m responder.ReplayMemory
		type id struct{ issuer, jti string }
		first := map[id]time.Time{}
		now, latest := start, start
		forward := rapid.Bool().Draw(t, "forward")
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			least := -200.0
			if forward {
				least = 0
			}
			now = now.Add(time.Duration(rapid.Float64Range(least, 200).Draw(t, "pass") * float64(time.Second)))
			k := id{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "issuer"), rapid.StringMatching(`[0-9]`).Draw(t, "jti")}
			fresh, err := m.Fresh(k.issuer, k.jti, now)
			if err != nil && (fresh || forward && !now.Before(latest)) {
				t.Fatalf("fresh %t, %v", fresh, err)
			}
			seen, known := first[k]
			if fresh && known && now.Before(seen.Add(reach)) {
				t.Fatalf("%v fresh at %v, seen at %v", k, now.Sub(start), seen.Sub(start))
			}
			if !fresh && err == nil && !known {
				t.Fatalf("%v was never seen", k)
			}
			if fresh {
				first[k] = now
			}
			if now.After(latest) {
				latest = now
			}
		}
	})
}

// TestReplayConcurrent: of many that bring one Query at once, one is first.
func TestReplayConcurrent(t *testing.T) {
	var m responder.ReplayMemory
	const queries, each = 200, 8
	var fresh [queries]atomic.Int32
	var wg sync.WaitGroup
	for w := range each {
		wg.Go(func() {
			for i := range queries {
				q := (i + w*queries/each) % queries
				ok, err := m.Fresh("a", strconv.Itoa(q), start.Add(time.Duration(i)*time.Second/4))
				if err != nil {
					t.Error(err)
				}
				if ok {
					fresh[q].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for q := range fresh {
		if n := fresh[q].Load(); n != 1 {
			t.Errorf("query %d was fresh %d times", q, n)
		}
	}
}

// TestReplayBounds: one member's flood stops at its share, costs a bounded amount of
// memory, leaves others alone, and is over when its generation is.
func TestReplayBounds(t *testing.T) {
	var m responder.ReplayMemory
	before := heap()
	full := 0
	const flood = 500_000
	for i := range flood + 1000 {
		fresh, err := m.Fresh("flood", strconv.Itoa(i), start)
		switch {
		case err != nil && !fresh:
			full++
		case !fresh:
			t.Fatal("not fresh")
		}
	}
	if full != 1000 {
		t.Errorf("%d of %d were turned away", full, flood+1000)
	}
	if fresh, err := m.Fresh("flood", "0", start); fresh || err != nil {
		t.Errorf("a replay while full: %t, %v", fresh, err)
	}
	if fresh, err := m.Fresh("other", "1", start); !fresh || err != nil {
		t.Errorf("another member is hurt: %t, %v", fresh, err)
	}
	if grown := heap() - before; grown > 40<<20 {
		t.Errorf("a full share takes %d MB", grown>>20)
	} else {
		t.Logf("a full generation takes %.1f MB", float64(grown)/(1<<20))
	}
	later := start.Add(90 * time.Second)
	if fresh, err := m.Fresh("flood", "again", later); !fresh || err != nil {
		t.Errorf("after the generation: %t, %v", fresh, err)
	}
	// Two more of others' Queries, and what a silent member left is gone.
	for i := range 3 {
		if _, err := m.Fresh("other", "x"+strconv.Itoa(i), later.Add(time.Duration(i+1)*100*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d MB are left of a member that has gone silent", grown>>20)
	}
	runtime.KeepAlive(&m)
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
