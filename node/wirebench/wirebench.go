// Package wirebench moves the bytes of a verification over transports of other makers, to be compared with a node's:
// pooled libp2p streams with nothing around them over QUIC and over TCP with Noise, gRPC and net/http's HTTP/2 over
// mutual TLS 1.3, each between two processes on loopback.
//
// [Start] builds the program that does so, for which it needs the go command and its module proxy: gRPC is no
// dependency of a node. [Wire.Run] keeps exchanges in flight and measures them. It judges nothing, and interleaving
// the contenders is the caller's.
package wirebench

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// peerFiles are the module of that program.
//
//go:embed _peers/*.go _peers/go.mod.txt _peers/go.sum.txt
var peerFiles embed.FS

// Bytes are the sizes of what one exchange moves.
type Bytes struct {
	Request int `json:"request"`
	Reply   int `json:"reply"`
}

// Wire is one transport and the two processes between which it runs.
type Wire struct {
	Name    string // with the maker's version
	process *drive.Process
}

// Sample is what a run measured.
type Sample struct {
	PerSecond float64
	Took      []time.Duration // of each exchange
	CPU       time.Duration   // processor time of both processes; zero where proc(5) is not
}

// kinds are what the program knows.
func kinds() []string { return []string{"libp2p-quic", "libp2p-tcp", "grpc", "grpc-stream", "http2"} }

// Start builds the program in dir and starts all it knows. What cannot be started is in the error; the others are
// returned all the same, and the caller ends them with [Wire.Close].
func Start(ctx context.Context, dir string, b Bytes) ([]*Wire, error) {
	module, err := fs.Sub(peerFiles, "_peers")
	if err != nil {
		return nil, err
	}
	program, err := drive.Build(ctx, dir, module)
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("describing an exchange: %w", err)
	}
	var all []*Wire
	var faults []error
	for _, kind := range kinds() {
		p, r, err := drive.Start(ctx, kind, []string{program, kind, string(spec)})
		if err != nil {
			faults = append(faults, err)
			continue
		}
		name := r.Version
		if kind == "grpc-stream" {
			name += ", streams"
		}
		all = append(all, &Wire{name, p})
	}
	return all, errors.Join(faults...)
}

// Run keeps n exchanges in flight for d.
func (w *Wire) Run(n int, d time.Duration) (Sample, error) {
	r, err := w.process.Ask(drive.Order{Do: drive.Read, Workers: n, Seconds: d.Seconds()})
	if err != nil {
		return Sample{}, err
	}
	s := Sample{PerSecond: float64(len(r.Micros)) / r.Seconds, CPU: time.Duration(r.CPU * float64(time.Second))}
	for _, m := range r.Micros {
		s.Took = append(s.Took, time.Duration(m)*time.Microsecond)
	}
	return s, nil
}

// Close ends both processes.
func (w *Wire) Close() error { return w.process.Close() }
