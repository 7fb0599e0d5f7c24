// Package drive keeps one store busy and measures it, in a process of its own.
//
// [Serve] takes orders from the process that compares stores, one JSON object a line,
// and answers each with one. It imports the standard library alone: the bench writes
// these files beside the program that drives other makers' stores, so that all of them
// are measured by the same code.
//
// It measures and judges nothing: rates and percentiles are the asking side's.
package drive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Store is what is measured. Subjects are numbered from 0. Write and Read are called by
// many goroutines.
type Store interface {
	Fill(ctx context.Context, first, n int) error // stores n subjects as fast as it can, durably on return
	Write(ctx context.Context, subject int) error // stores one who is not there yet, durably on return
	Read(ctx context.Context, subject int) error  // reads all of one who is there
	Settle() error                                // ends what Fill left to be done later
	Close() error
}

// Server is a Store whose work is done by other processes.
type Server interface {
	Usage() Usage // of all of them
}

// MaxWorkers bounds Order.Workers.
const MaxWorkers = 256

// What an Order asks for.
const (
	Fill  = "fill"  // N subjects more
	Write = "write" // by Workers goroutines for Seconds
	Read  = "read"
	Look  = "look" // what the process uses
)

// Order is one line to a driver.
type Order struct {
	Do      string  `json:"do"`
	N       int     `json:"n,omitempty"`
	Workers int     `json:"workers,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

// Reply is its answer. The first one comes unasked, when the store is open.
type Reply struct {
	Err     string  `json:"err,omitempty"`
	Version string  `json:"version,omitempty"` // in the first
	Seconds float64 `json:"seconds"`           // by the clock
	CPU     float64 `json:"cpu"`               // processor time of that, all threads
	Micros  []int64 `json:"micros,omitempty"`  // what each call took
	Usage   Usage   `json:"usage"`
}

// Opened is a store ready to be driven.
type Opened struct {
	Store   Store
	Version string
	Took    time.Duration // opening it
	Held    int           // subjects that are in it
}

// Serve reports that a store is open and carries out orders until in ends. It closes
// the store.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Opened) error {
	s := o.Store
	d := &driver{store: s, filled: o.Held}
	d.next.Store(int64(o.Held))
	enc := json.NewEncoder(out)
	err := enc.Encode(Reply{Version: o.Version, Seconds: o.Took.Seconds(), CPU: OwnUsage().CPU, Usage: OwnUsage()})
	lines := bufio.NewScanner(in)
	for err == nil && lines.Scan() {
		var o Order
		if err = json.Unmarshal(lines.Bytes(), &o); err != nil {
			break
		}
		err = enc.Encode(d.obey(ctx, o))
	}
	return errors.Join(err, lines.Err(), s.Close())
}

type driver struct {
	store  Store
	filled int          // subjects that Fill stored
	next   atomic.Int64 // subject that Write takes next
}

func (d *driver) obey(ctx context.Context, o Order) (r Reply) {
	before, start := d.usage().CPU, time.Now()
	var err error
	switch o.Do {
	case Fill:
		if err = d.store.Fill(ctx, d.filled, o.N); err == nil {
			d.filled += o.N
			d.next.Store(int64(d.filled))
		}
	case Write:
		r.Micros, err = busy(ctx, o, func() int { return int(d.next.Add(1) - 1) }, d.store.Write)
	case Read:
		if d.filled == 0 {
			err = errors.New("nothing was stored yet")
			break
		}
		r.Micros, err = busy(ctx, o, func() int { return rand.IntN(d.filled) }, d.store.Read)
	case Look:
	default:
		err = fmt.Errorf("unknown order %q", o.Do)
	}
	r.Usage = d.usage()
	r.Seconds, r.CPU = time.Since(start).Seconds(), r.Usage.CPU-before
	if err == nil && o.Do == Fill {
		err = d.store.Settle()
	}
	if err != nil {
		r.Err = err.Error()
	}
	return r
}

func (d *driver) usage() Usage {
	if s, ok := d.store.(Server); ok {
		return s.Usage()
	}
	return OwnUsage()
}

// busy keeps workers calling f for the time of the order.
func busy(ctx context.Context, o Order, pick func() int, f func(context.Context, int) error) ([]int64, error) {
	took := make([][]int64, o.Workers)
	errs := make([]error, o.Workers)
	until := time.Duration(o.Seconds * float64(time.Second))
	begin := time.Now()
	var all sync.WaitGroup
	for w := range o.Workers {
		all.Go(func() {
			for start := time.Now(); start.Sub(begin) < until && errs[w] == nil && ctx.Err() == nil; {
				errs[w] = f(ctx, pick())
				end := time.Now()
				took[w] = append(took[w], end.Sub(start).Microseconds())
				start = end
			}
		})
	}
	all.Wait()
	var out []int64
	for _, t := range took {
		out = append(out, t...)
	}
	return out, errors.Join(errs...)
}
