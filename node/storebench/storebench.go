// Package storebench measures node/gallery, on its own disk and over PostgreSQL, beside
// raw Badger, Pebble and PostgreSQL doing the same bytes with the same durability, in the
// same run.
//
// [Run] is the bench, [Work] the other processes that it starts: every store has one of
// its own, so that processor time and memory are each store's own. The stores take turns,
// round by round, so that a noisy minute hits them alike. Pebble and PostgreSQL's client
// are driven by a Go module of its own, built at run time: see [Config.Peers].
//
// Subjects are of one template of 2 KB and of nobody. What the other stores write for a
// subject are rows of the number and sizes of those that the gallery wrote.
package storebench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// Config is a bench.
type Config struct {
	Dir      string                           // folder to work in, there already; what is in it afterwards is rubbish
	Worker   []string                         // command that calls [Work] with what is appended
	Subjects int                              // in every store before it is measured
	Workers  []int                            // numbers of writers and readers
	Time     time.Duration                    // of one row, over all rounds
	Peers    bool                             // also others than Badger: needs Go, network for its modules, and PostgreSQL
	Say      func(format string, args ...any) // talk
}

// MaxWorkers bounds each of Config.Workers.
const MaxWorkers = drive.MaxWorkers

// rounds in which each row is measured; odd, for a median.
const rounds = 5

// bench is one run.
type bench struct {
	Config
	report Report
	spec   drive.Spec
	stores []*contender
	atEnd  func() // after the stores are closed; may be nil
}

// Run measures. A store of another maker that cannot be measured is a note.
func Run(ctx context.Context, c Config) (Report, error) {
	b := &bench{Config: c, report: Report{Subjects: c.Subjects}}
	err := b.run(ctx)
	for _, s := range b.stores {
		err = errors.Join(err, s.close())
	}
	if b.atEnd != nil {
		b.atEnd()
	}
	if err != nil {
		return Report{}, fmt.Errorf("measuring stores: %w", err)
	}
	return b.report, nil
}

func (b *bench) run(ctx context.Context) error {
	g, err := b.fillGallery(ctx)
	if err != nil {
		return err
	}
	if b.spec, err = entriesOf(filepath.Join(b.Dir, "gallery")); err != nil {
		return err
	}
	for _, e := range b.spec.Entries {
		b.report.SubjectSize += 33 + e.Size
	}
	if b.report.Folder, err = sizeOf(filepath.Join(b.Dir, "gallery")); err != nil {
		return err
	}
	if g, err = b.starts(ctx, g); err != nil {
		return err
	}
	if err := b.others(ctx); err != nil {
		return err
	}
	if err := b.looking(ctx, g); err != nil {
		return err
	}
	return b.writing(ctx, g)
}

// fillGallery makes the gallery and closes it.
func (b *bench) fillGallery(ctx context.Context) (*contender, error) {
	b.Say("enrolling %d subjects", b.Subjects)
	g := &contender{name: kindGallery, command: b.worker(kindGallery)}
	b.stores = append(b.stores, g)
	if _, err := g.start(ctx); err != nil {
		return nil, err
	}
	return g, errors.Join(b.fill(g), g.close())
}

func (b *bench) fill(s *contender) error {
	r, err := s.ask(drive.Order{Do: drive.Fill, N: b.Subjects})
	if err != nil {
		return err
	}
	s.held = b.Subjects
	n := float64(b.Subjects)
	b.report.Fillings = append(b.report.Fillings, Filling{Store: s.title(), PerSecond: n / r.Seconds, CPUMicros: r.CPU / n * 1e6})
	return nil
}

// starts opens the gallery in the ways that a node meets, and leaves it open.
func (b *bench) starts(ctx context.Context, g *contender) (*contender, error) {
	b.Say("starting the gallery")
	if dropped := dropCache(filepath.Join(b.Dir, "gallery")); dropped {
		if err := errors.Join(b.begin(ctx, g, "after a boot, nothing of it in the page cache"), g.close()); err != nil {
			return nil, err
		}
	}
	if err := b.begin(ctx, g, "again"); err != nil {
		return nil, err
	}
	// A kill in the middle of enrolments leaves logs to be read.
	if _, err := b.drive(g, drive.Order{Do: drive.Write, Workers: 64, Seconds: b.Time.Seconds() / rounds}); err != nil {
		return nil, err
	}
	g.kill()
	return g, b.begin(ctx, g, "after kill -9")
}

// begin starts a gallery and records what that took.
func (b *bench) begin(ctx context.Context, g *contender, how string) error {
	r, err := g.start(ctx)
	b.report.Starts = append(b.report.Starts, Start{how, r.Seconds, r.CPU, r.Usage.Resident, r.Usage.Anonymous})
	return err
}

// others starts and fills what the gallery is compared with.
func (b *bench) others(ctx context.Context) error {
	for _, kind := range []string{kindPseudonym, kindFile, kindBadger} {
		s := &contender{name: kind, command: b.worker(kind)}
		if kind != kindBadger {
			s.held = b.Subjects // needs no filling
		}
		b.stores = append(b.stores, s)
		if _, err := s.start(ctx); err != nil {
			return err
		}
	}
	if b.Peers {
		b.startPeers(ctx)
	}
	for _, s := range b.stores {
		if s.held > 0 {
			continue
		}
		b.Say("filling %s", s.title())
		if err := b.fill(s); err != nil {
			return err
		}
		if s.name == kindShared {
			if err := errors.Join(s.close(), b.begin(ctx, s, "over PostgreSQL")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) looking(ctx context.Context, g *contender) error {
	for _, n := range b.Workers {
		b.Say("looking up, %d at a time", n)
		if err := b.measure(ctx, "look-ups", drive.Order{Do: drive.Read, Workers: n}, kindFile); err != nil {
			return err
		}
	}
	return b.memory(g, "after looking up")
}

func (b *bench) writing(ctx context.Context, g *contender) error {
	for _, n := range b.Workers {
		b.Say("enrolling, %d writers", n)
		skip := []string{kindPseudonym}
		if n != 1 {
			skip = append(skip, kindFile) // it shares nothing between writers
		}
		if err := b.measure(ctx, "enrolments", drive.Order{Do: drive.Write, Workers: n}, skip...); err != nil {
			return err
		}
	}
	return b.memory(g, "after enrolling")
}

func (b *bench) memory(g *contender, when string) error {
	r, err := g.ask(drive.Order{Do: drive.Look})
	b.report.Memory = append(b.report.Memory, Memory{when, r.Usage.Resident, r.Usage.Anonymous, r.Usage.Peak})
	return err
}

// measure has every store do the order in turn, round by round.
func (b *bench) measure(ctx context.Context, what string, o drive.Order, skip ...string) error {
	var stores []*contender
	for _, s := range b.stores {
		if !slices.Contains(skip, s.name) {
			stores = append(stores, s)
		}
	}
	o.Seconds = b.Time.Seconds() / rounds
	rates, took, used := make([][]float64, len(stores)), make([][]int64, len(stores)), make([]float64, len(stores))
	for range rounds {
		for i, s := range stores {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := b.drive(s, o)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], float64(len(r.Micros))/r.Seconds)
			took[i] = append(took[i], r.Micros...)
			used[i] += r.CPU
		}
	}
	first := len(b.report.Rows)
	for i, s := range stores {
		slices.Sort(rates[i])
		slices.Sort(took[i])
		row := Row{What: what, Store: s.title(), Workers: o.Workers, PerSecond: rates[i][rounds/2],
			P50MS: percentile(took[i], 0.50), P99MS: percentile(took[i], 0.99), CPUMicros: used[i] / float64(len(took[i])) * 1e6}
		if i > 0 {
			row.Ratio = b.report.Rows[first].PerSecond / row.PerSecond
		}
		b.report.Rows = append(b.report.Rows, row)
	}
	return nil
}

func (b *bench) drive(s *contender, o drive.Order) (drive.Reply, error) {
	r, err := s.ask(o)
	if err == nil && len(r.Micros) == 0 {
		err = fmt.Errorf("%s did nothing in %g s", s.title(), o.Seconds)
	}
	if o.Do == drive.Write {
		s.held += len(r.Micros)
	}
	return r, err
}

func percentile(sorted []int64, q float64) float64 {
	return float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]) / 1000
}
