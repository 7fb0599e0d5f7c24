// Package fairqueue shares work slots among peers by max-min fairness (Bertsekas and Gallager, Data Networks, 2nd ed.,
// section 6.5.2): a slot that falls free goes to the waiting peer that holds the fewest, so that each holds its share
// of the time whatever its requests cost and however many it sends. Between peers that hold as many, the slot time that
// each has had decides, counted from where the others are when it comes (start-time fair queueing: Goyal, Vin and
// Cheng, SIGCOMM 1996). Each peer also has a budget of requests and of bytes per second, a token bucket of one second's
// worth. What slots do not share is what a request costs before and after it: where Limits.Pressed says that this is
// too much, budgets of requests are lowered by halves and raised by little, as TCP does with its window (Chiu and Jain,
// Analysis of the Increase and Decrease Algorithms for Congestion Avoidance, 1989).
//
// Start with [New]; call [Queue.Acquire] before the work and [Ticket.Release] after it. It does not read, write or
// start anything, and it knows no peer before its first Acquire.
//
// # Invariants
//
//   - A peer with nothing running begins at once, even beyond Limits.Running: the excess is one for each peer.
//   - What waits is bounded by peer and by time; what is refused is told when to come again.
//   - A peer that asks less than Least a second is not refused for others' sake, nor is one that asks alone.
//   - A peer's own requests begin in the order in which they came.
package fairqueue

import (
	"context"
	"sync"
	"time"
)

// Limits bound what is shared. All are required and positive.
type Limits struct {
	Running     int           // slots in all
	RunningPeer int           // slots of one peer
	WaitingPeer int           // requests of one peer that wait for a slot
	MaxWait     time.Duration // how long one waits
	Rate        float64       // requests of one peer per second
	Bytes       float64       // bytes of one peer's requests per second
	// Pressed says whether there is more to do than processors for it. While there is, and several peers ask, their
	// rates are lowered step by step, to Least at the lowest, and raised again when there is not. Nil: never. It is
	// called with a lock held and must be fast.
	Pressed func(now time.Time) bool
}

// Least is the rate, in requests per second, that a peer is left with when there is too much to do: what the officers
// of a country ask in its busiest hour, some times over.
const Least = 50

// Steps of lowering and raising rates: from 2,000 to Least in half a second, since everybody waits meanwhile, and up in
// twenty, since every time that it was too much again they wait again.
const (
	easeEvery = 100 * time.Millisecond
	easeDown  = 0.5
	easeUp    = 1.02
)

// Reason says which limit refused.
type Reason int

// The reasons.
const (
	Load  Reason = iota // too many wait, or waited too long
	Rate                // more requests per second than the budget
	Bytes               // more bytes per second than the budget
	Ended               // the caller's context ended
)

// Refusal is why a request got no slot.
type Refusal struct {
	Reason Reason
	After  time.Duration // when it is worth coming again
}

// Queue shares slots among peers of key K. It is safe for concurrent use.
type Queue[K comparable] struct {
	limits Limits // immutable

	// mu guards the rest. running is the sum over peers.
	mu      sync.Mutex
	running int
	ease    float64       // the part of their rates that peers have
	eased   time.Time     // when ease was looked at
	clock   time.Duration // the most slot time that a peer had had when it was given a slot
	peers   map[K]*peer
}

// peer is one peer's share; the queue's mu guards it.
type peer struct {
	running  int
	waiting  []*Ticket     // in order of arrival
	used     time.Duration // slot time it has had, on the queue's clock
	requests bucket
	bytes    bucket
	told     bucket        // what its refusals have been promised, below zero
	held     time.Duration // mean time that it holds a slot
}

// Ticket is a slot, or the wait for one.
type Ticket struct {
	began   time.Time
	granted chan struct{} // closed with the queue's mu held
	release func()
}

// Release gives the slot back. It must be called once.
func (t *Ticket) Release() { t.release() }

// New returns a Queue.
func New[K comparable](l Limits) *Queue[K] {
	return &Queue[K]{limits: l, ease: 1, peers: map[K]*peer{}}
}

// Load returns how many slots are taken, and how many requests wait for one.
func (q *Queue[K]) Load() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.peers {
		waiting += len(p.waiting)
	}
	return q.running, waiting
}

// Acquire waits for a slot for a request of size bytes. Exactly one of its results is set.
func (q *Queue[K]) Acquire(ctx context.Context, key K, size int) (*Ticket, *Refusal) {
	now := time.Now()
	q.mu.Lock()
	p := q.peerLocked(key, now)
	if r := q.spendLocked(p, now, size); r != nil {
		q.mu.Unlock()
		return nil, r
	}
	t := &Ticket{granted: make(chan struct{})}
	t.release = func() { q.release(p, t) }
	if p.running == 0 && len(p.waiting) == 0 {
		p.used = max(p.used, q.clock) // no credit for having been away
	}
	if p.running == 0 || q.running < q.limits.Running && p.running < q.limits.RunningPeer && len(p.waiting) == 0 {
		q.grantLocked(p, t)
		q.mu.Unlock()
		return t, nil
	}
	if len(p.waiting) >= q.limits.WaitingPeer {
		r := &Refusal{Load, q.patienceLocked(p)}
		q.mu.Unlock()
		return nil, r
	}
	p.waiting = append(p.waiting, t)
	q.mu.Unlock()
	return q.wait(ctx, p, t)
}

func (q *Queue[K]) wait(ctx context.Context, p *peer, t *Ticket) (*Ticket, *Refusal) {
	late := time.NewTimer(q.limits.MaxWait)
	defer late.Stop()
	reason := Load
	select {
	case <-t.granted:
		return t, nil
	case <-late.C:
	case <-ctx.Done():
		reason = Ended
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range p.waiting {
		if w == t {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			return nil, &Refusal{reason, q.patienceLocked(p)}
		}
	}
	return t, nil // granted meanwhile
}

// peerLocked finds the peer, and forgets those that have been idle for as long as their budgets take to be whole.
func (q *Queue[K]) peerLocked(key K, now time.Time) *peer {
	if p := q.peers[key]; p != nil {
		return p
	}
	for k, p := range q.peers {
		if p.running == 0 && len(p.waiting) == 0 && now.Sub(p.requests.at) > time.Second {
			delete(q.peers, k)
		}
	}
	p := &peer{requests: bucket{max(1, q.limits.Rate), now}, bytes: bucket{q.limits.Bytes, now}, told: bucket{0, now}}
	q.peers[key] = p
	return p
}

// rateLocked is what the peer may ask in a second, now. One that is alone has all of it: nobody else is in need.
func (q *Queue[K]) rateLocked(p *peer, now time.Time) float64 {
	if q.limits.Pressed == nil || q.limits.Rate <= Least {
		return q.limits.Rate
	}
	if now.Sub(q.eased) >= easeEvery {
		q.eased = now
		if q.limits.Pressed(now) {
			q.ease = max(q.ease*easeDown, Least/q.limits.Rate)
		} else {
			q.ease = min(q.ease*easeUp, 1)
		}
	}
	if q.ease == 1 {
		return q.limits.Rate
	}
	for _, o := range q.peers {
		if o != p && now.Sub(o.requests.at) < time.Second {
			return q.limits.Rate * q.ease
		}
	}
	return q.limits.Rate
}

// spendLocked takes the request from both budgets, or from neither.
func (q *Queue[K]) spendLocked(p *peer, now time.Time, size int) *Refusal {
	rate := q.rateLocked(p, now)
	p.requests.fill(now, rate, max(1, rate))
	p.bytes.fill(now, q.limits.Bytes, q.limits.Bytes)
	// A request larger than the whole budget passes when the budget is whole, and is owed.
	if d := p.requests.missing(1, rate); d > 0 {
		return &Refusal{Rate, d + p.queueLocked(now, rate)}
	}
	if d := p.bytes.missing(min(float64(size), q.limits.Bytes), q.limits.Bytes); d > 0 {
		return &Refusal{Bytes, d + p.queueLocked(now, rate)}
	}
	p.requests.left--
	p.bytes.left -= float64(size)
	return nil
}

// maxQueue bounds how far ahead a refusal sends a request, and promisesPerToken how many of those who are refused come
// again and are refused once more: without, everyone would come for the same token.
const (
	maxQueue         = 5 * time.Second
	promisesPerToken = 0.5
)

// queueLocked is for how long others who were refused have been sent away already.
func (p *peer) queueLocked(now time.Time, rate float64) time.Duration {
	rate *= promisesPerToken
	p.told.fill(now, rate, 0)
	d := min(time.Duration(-p.told.left/rate*float64(time.Second)), maxQueue)
	if d < maxQueue {
		p.told.left--
	}
	return d
}

// patienceLocked estimates when what the peer has waiting now will have begun.
func (q *Queue[K]) patienceLocked(p *peer) time.Duration {
	share := max(1, p.running)
	d := p.held * time.Duration(len(p.waiting)+share) / time.Duration(share)
	return min(max(d, 50*time.Millisecond), 5*time.Second)
}

func (q *Queue[K]) grantLocked(p *peer, t *Ticket) {
	q.running++
	p.running++
	q.clock = max(q.clock, p.used)
	t.began = time.Now()
	close(t.granted)
}

func (q *Queue[K]) release(p *peer, t *Ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	p.running--
	took := time.Since(t.began)
	p.used += took
	p.held += (took - p.held) / 8
	if p.running == 0 && len(p.waiting) > 0 { // its own slot needs no room
		q.nextLocked(p)
	}
	for q.running < q.limits.Running {
		least := q.leastLocked()
		if least == nil {
			return
		}
		q.nextLocked(least)
	}
}

// leastLocked is the waiting peer that holds the fewest slots, and of those the one that has had the least slot time.
func (q *Queue[K]) leastLocked() (least *peer) {
	for _, p := range q.peers {
		if len(p.waiting) == 0 || p.running >= q.limits.RunningPeer {
			continue
		}
		if least == nil || p.running < least.running || p.running == least.running && p.used < least.used {
			least = p
		}
	}
	return least
}

func (q *Queue[K]) nextLocked(p *peer) {
	t := p.waiting[0]
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
	q.grantLocked(p, t)
}

// bucket holds tokens that were counted at a time.
type bucket struct {
	left float64
	at   time.Time
}

func (b *bucket) fill(now time.Time, rate, most float64) {
	if d := now.Sub(b.at); d > 0 {
		b.left = min(most, b.left+rate*d.Seconds())
		b.at = now
	}
}

// missing is how long until there are n tokens.
func (b *bucket) missing(n, rate float64) time.Duration {
	// A thousandth of a token absorbs rounding: whoever comes when told to is served.
	if b.left+1e-3 >= n {
		return 0
	}
	return max(time.Millisecond, time.Duration((n-b.left)/rate*float64(time.Second)))
}
