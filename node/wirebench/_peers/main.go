// Command peers moves bytes over transports of other makers for tamga bench, which writes this module into a
// temporary folder and builds it there: what they depend on is none of a node's business.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"peers/drive"
)

// spec is the bytes of one exchange.
type spec struct {
	Request int `json:"request"`
	Reply   int `json:"reply"`
}

// offer is what a server says when it listens.
type offer struct {
	Addresses []string `json:"addresses"`
	Version   string   `json:"version"`
}

// transport is one way to move a request and its reply between two processes.
type transport struct {
	// serve listens and answers every request with reply until the process ends.
	serve func(s spec, own identity) (offer, error)
	// connect returns one exchange, to be called by many goroutines.
	connect func(ctx context.Context, s spec, own identity, to offer) (exchange, error)
}

type exchange func(ctx context.Context) error

func transports() map[string]transport {
	return map[string]transport{
		"libp2p-quic": {serveLibp2p(true), connectLibp2p}, "libp2p-tcp": {serveLibp2p(false), connectLibp2p},
		"grpc": {serveGRPC, connectGRPC}, "grpc-stream": {serveGRPC, connectStreams}, "http2": {serveHTTP2, connectHTTP2},
	}
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run takes the kind of transport and what an exchange is. With "serve" in front it is the other process.
func run(ctx context.Context, args []string) error {
	server := len(args) == 3 && args[0] == "serve"
	if server {
		args = args[1:]
	}
	if len(args) != 2 {
		return errors.New("two arguments are needed")
	}
	t, ok := transports()[args[0]]
	if !ok {
		return fmt.Errorf("unknown kind %q", args[0])
	}
	var s spec
	if err := json.Unmarshal([]byte(args[1]), &s); err != nil {
		return err
	}
	if server {
		return listen(t, s)
	}
	return ask(ctx, t, s, args)
}

// listen serves until stdin ends, of which the first line is who this process is.
func listen(t transport, s spec) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var own identity
	if err := json.Unmarshal(line, &own); err != nil {
		return err
	}
	o, err := t.serve(s, own)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// ask starts the other process, connects to it and carries out orders.
func ask(ctx context.Context, t transport, s spec, args []string) error {
	start := time.Now()
	client, server, err := identities()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, append([]string{"serve"}, args...)...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer func() {
		_ = in.Close()
		_ = c.Wait()
	}()
	var o offer
	if err := errors.Join(json.NewEncoder(in).Encode(server), json.NewDecoder(out).Decode(&o)); err != nil {
		return err
	}
	x, err := t.connect(ctx, s, client, o)
	if err != nil {
		return err
	}
	if err := x(ctx); err != nil {
		return err
	}
	return drive.Serve(ctx, os.Stdin, os.Stdout, drive.Opened{Store: wire{x, c.Process.Pid}, Version: o.Version, Took: time.Since(start), Held: 1})
}

// wire is a transport as drive knows what it measures: reading is an exchange.
type wire struct {
	exchange
	server int
}

func (w wire) Read(ctx context.Context, _ int) error { return w.exchange(ctx) }
func (w wire) Write(context.Context, int) error      { return errors.New("nothing is stored here") }
func (w wire) Fill(context.Context, int, int) error  { return errors.New("nothing is stored here") }
func (w wire) Settle() error                         { return nil }
func (w wire) Close() error                          { return nil }

// Usage is that of both processes.
func (w wire) Usage() drive.Usage {
	u := drive.OwnUsage()
	u.CPU += drive.UsageOf(w.server).CPU
	return u
}
