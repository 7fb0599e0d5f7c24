// Package benchcmd is `tamga bench`: speeds of the matcher, the store, and the way to a peer.
package benchcmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/benchmatchcmd"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/requester"
)

type benchFlags struct {
	people   int
	inFlight []int
	duration time.Duration
	modality string
	noPeers  bool
}

// Command is `tamga bench`.
func Command(a *cli.App) *cobra.Command {
	var b benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure signed verifications between two processes on this machine",
		Long: `Starts a second process with a second country's node and asks it, the whole way: own law,
own ledger, seal, sign, libp2p, the responder's checks, gallery, matching, its ledger,
signed answer, receipt. In the same run, in turn, it measures an echo of the same bytes over
the same transport, and the same bytes between two other processes over bare pooled libp2p
streams, gRPC and HTTP/2 with mutual TLS; and bare fsyncs on the same disk. Read the
ratios: absolute figures depend on the machine and on what else it does.

gRPC is no part of this program: it builds what drives other transports, for which it
needs the go command and its module proxy. What is missing is named and left out.`,
		Example: `  tamga bench
  tamga bench --no-peers
  tamga bench --people 100000 --in-flight 1,16,64 --duration 10s -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return bench(c.Context(), a, b) },
	}
	f := c.Flags()
	f.IntVar(&b.people, "people", 1000, "subjects in the responder's gallery")
	f.IntSliceVar(&b.inFlight, "in-flight", []int{1, 16, 64}, "numbers of verifications in flight")
	f.DurationVar(&b.duration, "duration", 6*time.Second, "time for each row, in three rounds")
	f.StringVar(&b.modality, "modality", "face", "face or finger")
	f.BoolVar(&b.noPeers, "no-peers", false, "leave other makers' transports out")
	responder := &cobra.Command{Use: "responder DIR", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return benchResponder(c.Context(), a, args[0]) }}
	c.AddCommand(responder, benchmatchcmd.Command(a), benchStoreCommand(a))
	return c
}

// protocolEcho is spoken only between the two processes of a bench.
const protocolEcho = "/tamga/bench/echo/1"

// benchResponder is the second process: a whole node that also echoes. It says on
// stdout when it is ready, with its Entity Configuration, and ends with its stdin.
func benchResponder(ctx context.Context, a *cli.App, dir string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n, err := node.Open(ctx, filepath.Join(dir, node.ConfigFile), []byte(demo.Passphrase), slog.New(slog.DiscardHandler),
		node.Overrides{Protocols: map[string]transport.Handler{protocolEcho: echo}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	token, err := n.EntityConfiguration()
	if err != nil {
		return err
	}
	fmt.Fprintln(a.Out, token)
	go func() { // ends with the process: stdin closes when the parent does
		_, _ = io.Copy(io.Discard, a.In)
		cancel()
	}()
	return n.Run(ctx, http.NotFoundHandler())
}

// echo replies with as many bytes as the first four of the frame ask for.
func echo(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
	if len(frame) < 4 {
		return frame, nil
	}
	want := int(frame[0])<<24 | int(frame[1])<<16 | int(frame[2])<<8 | int(frame[3])
	if want < 1 || want > transport.MaxFrame {
		return nil, errors.New("echo of an impossible size")
	}
	return make([]byte, want), nil
}

// pair is the two processes and the anchor between them.
type pair struct {
	asker *node.Node
	peer  trust.Node
	pop   *synth.Population
	tap   *tap
	other int // process ID of the responder
	close func() error
}

func bench(ctx context.Context, a *cli.App, b benchFlags) error {
	if b.people < 1 || b.people > 10_000_000 || b.duration < time.Second || (b.modality != "face" && b.modality != "finger") {
		return fault.Usage("--people takes 1 to 10000000, --duration at least 1s, --modality face or finger")
	}
	dir, remove, err := demo.TempDir()
	if err != nil {
		return err
	}
	defer remove()
	a.Say("preparing two nodes, %d people", b.people)
	p, err := startPair(ctx, dir, b.people)
	if err != nil {
		return err
	}
	report, err := measurePeer(ctx, a, b, p, dir)
	if err := errors.Join(err, p.close()); err != nil {
		return err
	}
	return a.Emit(report, report.rows())
}

// startPair makes an anchor in this process, a responder in another, and the asker here.
func startPair(ctx context.Context, dir string, people int) (_ *pair, err error) {
	var c cli.Closers
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	operator, anchor, stop, err := benchAnchor(dir)
	if err != nil {
		return nil, err
	}
	c.Add(stop)
	p := &pair{pop: synth.New(demo.Seed, "KGZ"), tap: &tap{}, close: c.Close}
	for _, code := range []string{"KAZ", "KGZ"} {
		_, err := founding.Init(founding.Options{Dir: filepath.Join(dir, code), EntityID: demo.EntityID(code), Jurisdiction: code, Name: code,
			Listen: "127.0.0.1:0", API: "127.0.0.1:0", Anchor: anchor, Refresh: time.Second,
			Passphrase: []byte(demo.Passphrase), Custody: custody.TestParams(), Now: time.Now})
		if err != nil {
			return nil, err
		}
		if err := lift(filepath.Join(dir, code, node.ConfigFile)); err != nil {
			return nil, err
		}
	}
	g, err := registrar.Open(ctx, filepath.Join(dir, "KGZ", node.ConfigFile), []byte(demo.Passphrase))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(demo.Enrol(ctx, g, p.pop, people), g.Close()); err != nil {
		return nil, err
	}
	token, pid, stopChild, err := startResponder(ctx, filepath.Join(dir, "KGZ"))
	if err != nil {
		return nil, err
	}
	c.Add(stopChild)
	p.other = pid
	if p.asker, err = node.Open(ctx, filepath.Join(dir, "KAZ", node.ConfigFile), []byte(demo.Passphrase), slog.New(slog.DiscardHandler), node.Overrides{
		Exchanger: func(x requester.Exchanger) requester.Exchanger { p.tap.under = x; return p.tap },
	}); err != nil {
		return nil, err
	}
	c.Add(p.asker.Close)
	own, err := p.asker.EntityConfiguration()
	if err != nil {
		return nil, err
	}
	for code, t := range map[string]string{"KAZ": own, "KGZ": token} {
		if _, err := operator.Enroll(t, authority.EnrollOptions{Jurisdiction: code}); err != nil {
			return nil, err
		}
	}
	if err := p.asker.Refresh(ctx); err != nil {
		return nil, err
	}
	if p.peer, err = p.asker.Peer("KGZ"); err != nil {
		return nil, err
	}
	return p, p.ready(ctx)
}

// lift raises what one member may ask in a second: an echo that is refused is no echo.
func lift(file string) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	cfg.Limits.Rate, cfg.Limits.Bytes = 1_000_000, 1<<32
	text, err := cfg.Marshal()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("preparing a node: %w", err)
	}
	return nil
}

// ready waits until the other process has heard of this one.
func (p *pair) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if _, err := p.asker.Exchange(ctx, p.peer, protocolEcho, []byte{0, 0, 0, 1}); err == nil {
			return nil
		} else if ctx.Err() != nil {
			return fmt.Errorf("waiting for the responder: %w", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func benchAnchor(dir string) (*authority.Authority, trust.Anchor, func() error, error) {
	key, err := jose.GenerateKey()
	if err != nil {
		return nil, trust.Anchor{}, nil, err
	}
	operator, err := authority.New(authority.Config{EntityID: "https://anchor.sandbox.tamga.example", Key: key,
		Dir: filepath.Join(dir, "anchor"), Clock: time.Now})
	if err != nil {
		return nil, trust.Anchor{}, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, trust.Anchor{}, nil, err
	}
	s := &http.Server{Handler: operator.Handler(), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1) // holds the server's one last word
	go func() { done <- s.Serve(l) }()
	anchor := operator.Anchor()
	anchor.Location = "http://" + l.Addr().String()
	return operator, anchor, func() error {
		err := s.Close()
		<-done
		return err
	}, nil
}

// startResponder runs this program again as the other country.
func startResponder(ctx context.Context, dir string) (token string, pid int, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, fmt.Errorf("finding this program: %w", err)
	}
	c := exec.CommandContext(ctx, self, "bench", "responder", dir)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return "", 0, nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := c.Start(); err != nil {
		return "", 0, nil, fmt.Errorf("starting responder: %w", err)
	}
	stop = func() error {
		_ = in.Close()
		return c.Wait()
	}
	line, err := bufio.NewReaderSize(out, 64<<10).ReadString('\n')
	if err != nil {
		return "", 0, nil, errors.Join(fmt.Errorf("waiting for responder: %w", err), stop())
	}
	return strings.TrimSpace(line), c.Process.Pid, stop, nil
}
