package benchcmd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cputime"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/storebench/drive"
	"github.com/tamga-id/tamga/node/wirebench"
)

// benchRow is one measurement: medians of three rounds, percentiles of all.
type benchRow struct {
	What      string  `json:"what"`
	InFlight  int     `json:"in_flight"`
	PerSecond float64 `json:"per_second"`
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	// CPU is seconds of processor time of both processes for a thousand.
	CPU float64 `json:"cpu_s_per_1000"`
	// Ratio is how many times as many there are as whole verifications.
	Ratio float64 `json:"ratio,omitempty"`
}

type benchReport struct {
	Modality     string     `json:"modality"`
	People       int        `json:"people"`
	RequestBytes int        `json:"request_bytes"`
	ReplyBytes   int        `json:"reply_bytes"`
	FsyncP50MS   float64    `json:"fsync_p50_ms"`
	FsyncP99MS   float64    `json:"fsync_p99_ms"`
	NotMatched   int64      `json:"not_matched"` // mated probes that the matcher missed
	Rows         []benchRow `json:"rows"`
	Notes        []string   `json:"notes,omitempty"` // what was not measured, and why
}

func (r benchReport) rows() [][2]string {
	out := [][2]string{
		{"bytes", fmt.Sprintf("%d asked, %d answered", r.RequestBytes, r.ReplyBytes)},
		{"fsync", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", r.FsyncP50MS, r.FsyncP99MS)},
	}
	for _, w := range r.Rows {
		text := fmt.Sprintf("%.0f/s  p50 %.2f ms  p99 %.2f ms  %.3f s of processor time for 1,000", w.PerSecond, w.P50MS, w.P99MS, w.CPU)
		if w.Ratio > 0 {
			text += fmt.Sprintf("  %.1f times the verifications", w.Ratio)
		}
		out = append(out, [2]string{fmt.Sprintf("%s, %d in flight", w.What, w.InFlight), text})
	}
	for _, n := range r.Notes {
		out = append(out, [2]string{"note", n})
	}
	return out
}

// tap sees the sizes of frames on the asker's way out.
type tap struct {
	under          requester.Exchanger
	sent, received atomic.Int64
}

func (t *tap) Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
	reply, err := t.under.Exchange(ctx, to, addrs, protocol, frame)
	t.sent.Store(int64(len(frame)))
	t.received.Store(int64(len(reply)))
	return reply, err
}

const benchRounds = 3

func measurePeer(ctx context.Context, a *cli.App, b benchFlags, p *pair, dir string) (benchReport, error) {
	r := benchReport{Modality: b.modality, People: b.people}
	var missed atomic.Int64
	ask := p.asking(b, &missed)
	if err := ask(ctx); err != nil {
		return r, err
	}
	r.RequestBytes, r.ReplyBytes = int(p.tap.sent.Load()), int(p.tap.received.Load())
	frame := make([]byte, r.RequestBytes)
	binary.BigEndian.PutUint32(frame, uint32(r.ReplyBytes))
	bare := func(ctx context.Context) error {
		reply, err := p.asker.Exchange(ctx, p.peer, protocolEcho, frame)
		if err == nil && len(reply) != r.ReplyBytes {
			err = errors.New("the echo was refused")
		}
		return err
	}
	var err error
	if r.FsyncP50MS, r.FsyncP99MS, err = fsyncs(dir, r.RequestBytes); err != nil {
		return r, err
	}
	all := []benchContender{{"verification", p.here(ctx, ask)}, {"bare echo", p.here(ctx, bare)}}
	if !b.noPeers {
		a.Say("building what drives other transports")
		wires, err := wirebench.Start(ctx, filepath.Join(dir, "peers"), wirebench.Bytes{Request: r.RequestBytes, Reply: r.ReplyBytes})
		if err != nil {
			r.Notes = append(r.Notes, fmt.Sprintf("not all other transports are measured: %v", err))
		}
		for _, w := range wires {
			defer func() { _ = w.Close() }() // its figures are in, or the error is
			all = append(all, benchContender{w.Name, w.Run})
		}
	}
	for _, n := range b.inFlight {
		if n < 1 || n > drive.MaxWorkers {
			return r, fault.Usage("--in-flight takes 1 to %d", drive.MaxWorkers)
		}
		a.Say("measuring %d in flight", n)
		rows, err := rounds(n, b.duration/benchRounds, all)
		if err != nil {
			return r, err
		}
		r.Rows = append(r.Rows, rows...)
	}
	r.NotMatched = missed.Load()
	return r, nil
}

// asking returns one whole verification of a random person.
func (p *pair) asking(b benchFlags, missed *atomic.Int64) func(context.Context) error {
	officer := p.asker.Officer("bench")
	people := make([]requester.Request, min(b.people, 256))
	for i := range people {
		person := p.pop.Person(rand.IntN(b.people))
		probe := protocol.Probe{Modality: comparison.ModalityFace, Format: exchange.FormatEmbedding, Data: person.FaceProbe(1)}
		if b.modality == "finger" {
			probe = protocol.Probe{Modality: comparison.ModalityFinger, Format: exchange.FormatFinger2005, Position: demo.EnrolledFinger,
				Data: person.FingerProbe(demo.EnrolledFinger, 1)}
		}
		people[i] = requester.Request{Question: protocol.Question{Subject: demo.Subject(person), Probes: []protocol.Probe{probe}},
			Purpose: "border_control", LegalBasis: "public_task", Officer: officer}
	}
	return func(ctx context.Context) error {
		res, err := p.asker.Verify(ctx, people[rand.IntN(len(people))])
		if err != nil {
			return err
		}
		switch res.Outcome {
		case protocol.Matched:
		case protocol.NotMatched:
			missed.Add(1)
		default:
			return fmt.Errorf("a verification ended in %s %s", res.Outcome, res.Code)
		}
		return nil
	}
}

// benchContender is what is measured beside others.
type benchContender struct {
	name string
	run  func(inFlight int, d time.Duration) (wirebench.Sample, error)
}

// rounds measures the contenders in turn, so that a noisy minute hits them alike.
func rounds(n int, d time.Duration, all []benchContender) ([]benchRow, error) {
	samples := make([][]wirebench.Sample, len(all))
	for range benchRounds {
		for i, c := range all {
			s, err := c.run(n, d)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], s)
		}
	}
	rows := make([]benchRow, len(all))
	for i, c := range all {
		rows[i] = summary(c.name, n, samples[i])
		if i > 0 && rows[0].PerSecond > 0 {
			rows[i].Ratio = rows[i].PerSecond / rows[0].PerSecond
		}
	}
	return rows, nil
}

func summary(name string, n int, samples []wirebench.Sample) benchRow {
	var rates, cpu []float64
	var took []time.Duration
	for _, s := range samples {
		rates = append(rates, s.PerSecond)
		took = append(took, s.Took...)
		if len(s.Took) > 0 {
			cpu = append(cpu, 1000*s.CPU.Seconds()/float64(len(s.Took)))
		}
	}
	r := benchRow{What: name, InFlight: n, PerSecond: cputime.Median(rates)}
	if len(took) > 0 {
		r.CPU = cputime.Median(cpu)
		r.P50MS, r.P99MS = percentiles(took)
	}
	return r
}

// here measures calls made by this process to the responder's.
func (p *pair) here(ctx context.Context, f func(context.Context) error) func(int, time.Duration) (wirebench.Sample, error) {
	used := func() float64 { return drive.OwnUsage().CPU + drive.UsageOf(p.other).CPU }
	return func(n int, d time.Duration) (wirebench.Sample, error) {
		before := used()
		rate, took, err := keep(ctx, n, d, f)
		return wirebench.Sample{PerSecond: rate, Took: took, CPU: time.Duration((used() - before) * float64(time.Second))}, err
	}
}

// keep keeps n calls of f in flight for d.
func keep(ctx context.Context, n int, d time.Duration, f func(context.Context) error) (float64, []time.Duration, error) {
	g, ctx := errgroup.WithContext(ctx)
	took := make([][]time.Duration, n)
	begin := time.Now()
	for i := range n {
		g.Go(func() error {
			for time.Since(begin) < d {
				start := time.Now()
				if err := f(ctx); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(start))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, nil, err
	}
	all := slices.Concat(took...)
	return float64(len(all)) / time.Since(begin).Seconds(), all, nil
}

func percentiles(all []time.Duration) (p50, p99 float64) {
	slices.Sort(all)
	at := func(q float64) float64 {
		return float64(all[min(len(all)-1, int(q*float64(len(all))))].Microseconds()) / 1000
	}
	return at(0.50), at(0.99)
}

// fsyncs measures what the disk asks for one durable append of size bytes.
func fsyncs(dir string, size int) (p50, p99 float64, err error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, 0, fmt.Errorf("measuring fsync: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, size)
	var all []time.Duration
	for range 200 {
		start := time.Now()
		if _, err := f.Write(buf); err != nil {
			return 0, 0, fmt.Errorf("measuring fsync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, 0, fmt.Errorf("measuring fsync: %w", err)
		}
		all = append(all, time.Since(start))
	}
	p50, p99 = percentiles(all)
	return p50, p99, nil
}
