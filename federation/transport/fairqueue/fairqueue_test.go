package fairqueue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/transport/fairqueue"
)

func limits() fairqueue.Limits {
	return fairqueue.Limits{Running: 4, RunningPeer: 3, WaitingPeer: 100, MaxWait: time.Minute, Rate: 1e6, Bytes: 1e9}
}

// flood keeps n requests of a peer in hand, each of which holds its slot for d, until ctx ends, and returns how many
// were done.
func flood(ctx context.Context, q *fairqueue.Queue[string], key string, n int, d time.Duration, done *atomic.Int64, wg *sync.WaitGroup) {
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				t, refused := q.Acquire(ctx, key, 1)
				if refused != nil {
					if refused.Reason != fairqueue.Ended {
						time.Sleep(refused.After)
					}
					continue
				}
				time.Sleep(d)
				t.Release()
				done.Add(1)
			}
		})
	}
}

func TestPeersShareTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fairqueue.New[string](limits())
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var done [3]atomic.Int64
		var wg sync.WaitGroup
		flood(ctx, q, "many", 90, 10*time.Millisecond, &done[0], &wg)
		flood(ctx, q, "few", 3, 10*time.Millisecond, &done[1], &wg)
		flood(ctx, q, "costly", 90, 50*time.Millisecond, &done[2], &wg)
		wg.Wait()
		many, few, costly := done[0].Load(), done[1].Load(), 5*done[2].Load()
		t.Logf("slot time: many %d, few %d, costly %d", many, few, costly)
		if sum := many + few + costly; sum < 3800 || 4*few < sum || 4*costly > 2*sum {
			t.Errorf("slot time of many, few, costly = %d, %d, %d of 4000: not shared", many, few, costly)
		}
	})
}

func TestIdlePeerNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fairqueue.New[string](limits())
		ctx, stop := context.WithCancel(t.Context())
		var done atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			flood(ctx, q, fmt.Sprint(i), 10, time.Second, &done, &wg)
		}
		synctest.Wait()
		began := time.Now()
		ticket, refused := q.Acquire(ctx, "honest", 1)
		if refused != nil || time.Since(began) != 0 {
			t.Fatalf("Acquire of a peer with nothing running = %+v after %v", refused, time.Since(began))
		}
		ticket.Release()
		stop()
		wg.Wait()
	})
}

func TestBudgets(t *testing.T) {
	for name, c := range map[string]struct {
		rate, bytes float64
		size        int
		reason      fairqueue.Reason
	}{
		"requests": {10, 1e9, 1, fairqueue.Rate},
		"bytes":    {1e6, 1000, 100, fairqueue.Bytes},
		"oversize": {1e6, 1000, 5000, fairqueue.Bytes},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limits()
				l.Rate, l.Bytes = c.rate, c.bytes
				q := fairqueue.New[string](l)
				passed := 0
				for began := time.Now(); time.Since(began) < 20*time.Second; {
					ticket, refused := q.Acquire(t.Context(), "p", c.size)
					if refused == nil {
						ticket.Release()
						passed++
						continue
					}
					if refused.Reason != c.reason || refused.After <= 0 {
						t.Fatalf("refused %+v, want reason %v and a time", refused, c.reason)
					}
					time.Sleep(refused.After)
				}
				want := int(20 * min(c.rate, c.bytes/float64(c.size)))
				if passed < want || passed > want+11 {
					t.Errorf("%d passed in 20 s, want %d and one second's burst", passed, want)
				}
			})
		})
	}
}

// TestRefusedAreSpread: many who ask at once are not all sent to the same moment.
func TestRefusedAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits()
		l.Rate = 10
		q := fairqueue.New[string](l)
		var last time.Duration
		for i := range 60 {
			ticket, refused := q.Acquire(t.Context(), "p", 1)
			if refused == nil {
				ticket.Release()
				continue
			}
			if i > 11 && refused.After <= last && last < 5*time.Second {
				t.Fatalf("refusal %d: after %v, the one before after %v", i, refused.After, last)
			}
			last = refused.After
		}
		if last < 5*time.Second || last > 6*time.Second {
			t.Errorf("the last is sent away for %v, want 5 s and its token", last)
		}
		time.Sleep(10 * time.Second)
		for range 10 {
			if ticket, refused := q.Acquire(t.Context(), "p", 1); refused != nil {
				t.Fatalf("refused when the budget is whole: %+v", refused)
			} else {
				ticket.Release()
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits()
		l.RunningPeer, l.WaitingPeer, l.MaxWait = 1, 1, time.Second
		q := fairqueue.New[string](l)
		first, _ := q.Acquire(t.Context(), "p", 1)
		began := time.Now()
		if _, r := q.Acquire(t.Context(), "p", 1); r == nil || r.Reason != fairqueue.Load || time.Since(began) != time.Second {
			t.Errorf("second = %+v after %v, want load after 1s", r, time.Since(began))
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		if _, r := q.Acquire(ctx, "p", 1); r == nil || r.Reason != fairqueue.Ended {
			t.Errorf("with an ended context = %+v", r)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if ticket, r := q.Acquire(t.Context(), "p", 1); r == nil {
				ticket.Release()
			} else {
				t.Errorf("waiting = %+v", r)
			}
		})
		synctest.Wait()
		if _, r := q.Acquire(t.Context(), "p", 1); r == nil || r.Reason != fairqueue.Load || r.After <= 0 {
			t.Errorf("beyond the queue = %+v", r)
		}
		first.Release()
		wg.Wait()
	})
}

// TestLimitsHold drives random requests and checks the counts against a plain model of them.
func TestLimitsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits()
		l.MaxWait = 20 * time.Millisecond
		q := fairqueue.New[int](l)
		var all atomic.Int64
		var each [6]atomic.Int64
		var wg sync.WaitGroup
		for i := range 60 {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			wg.Go(func() {
				for range 200 {
					p := r.IntN(len(each))
					ticket, refused := q.Acquire(t.Context(), p, r.IntN(100))
					if refused != nil {
						continue
					}
					if n, m := each[p].Add(1), all.Add(1); n > int64(l.RunningPeer) || m > int64(l.Running+len(each)) {
						t.Errorf("%d running of one peer, %d in all", n, m)
					}
					time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
					each[p].Add(-1)
					all.Add(-1)
					ticket.Release()
				}
			})
		}
		wg.Wait()
	})
}

// asked counts what of n requests a peer makes in a second, evenly, is let in.
func asked(t *testing.T, q *fairqueue.Queue[string], key string, n int, in time.Duration) (let int) {
	for range n * int(in/time.Second) {
		if ticket, refused := q.Acquire(t.Context(), key, 1); refused == nil {
			ticket.Release()
			let++
		}
		time.Sleep(time.Second / time.Duration(n))
	}
	return let
}

func TestPressureLowersRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pressed atomic.Bool
		l := limits()
		l.Rate, l.Pressed = 2000, func(time.Time) bool { return pressed.Load() }
		q := fairqueue.New[string](l)
		both := func(in time.Duration) (greedy, modest int) {
			var wg sync.WaitGroup
			wg.Go(func() { greedy = asked(t, q, "greedy", 1000, in) })
			wg.Go(func() { modest = asked(t, q, "modest", 40, in) })
			wg.Wait()
			return greedy, modest
		}
		if greedy, modest := both(2 * time.Second); greedy != 2000 || modest != 80 {
			t.Errorf("without pressure %d and %d are let in, want all of 2000 and 80", greedy, modest)
		}
		pressed.Store(true)
		both(time.Second)
		if greedy, modest := both(4 * time.Second); greedy < 4*fairqueue.Least-1 || greedy > 5*fairqueue.Least || modest != 160 {
			t.Errorf("under pressure %d and %d are let in in 4 s, want some %d and all of 160", greedy, modest, 4*fairqueue.Least)
		}
		time.Sleep(2 * time.Second)
		if let := asked(t, q, "greedy", 1000, time.Second); let < 990 {
			t.Errorf("a peer that asks alone: %d of 1000 are let in", let)
		}
		pressed.Store(false)
		both(25 * time.Second)
		if greedy, modest := both(2 * time.Second); greedy != 2000 || modest != 80 {
			t.Errorf("after the pressure %d and %d are let in, want all of 2000 and 80", greedy, modest)
		}
	})
}
