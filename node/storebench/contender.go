package storebench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// contender is a store and the process that drives it.
type contender struct {
	name    string
	version string
	command func(held int) []string
	held    int // subjects in it, from 0 on

	process *exec.Cmd // nil when none runs
	in      io.WriteCloser
	out     *json.Decoder
}

// title names the store to a reader.
func (c *contender) title() string { return cmp.Or(c.version, c.name) }

// worker is the command of a store that this program drives.
func (b *bench) worker(kind string) func(held int) []string {
	return func(held int) []string { return b.arguments(b.Worker, kind, b.Dir, held) }
}

func (b *bench) arguments(program []string, kind, dir string, held int) []string {
	spec, err := json.Marshal(b.spec)
	if err != nil {
		panic("storebench: " + err.Error()) // numbers and letters
	}
	return append(append([]string(nil), program...), kind, dir, strconv.Itoa(held), string(spec))
}

// start starts the process and returns what opening the store took.
func (c *contender) start(ctx context.Context) (drive.Reply, error) {
	args := c.command(c.held)
	p := exec.CommandContext(ctx, args[0], args[1:]...)
	p.Stderr = os.Stderr
	in, err := p.StdinPipe()
	if err != nil {
		return drive.Reply{}, err
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return drive.Reply{}, err
	}
	if err := p.Start(); err != nil {
		return drive.Reply{}, fmt.Errorf("starting %s: %w", c.name, err)
	}
	c.process, c.in, c.out = p, in, json.NewDecoder(out)
	r, err := c.read()
	c.version = r.Version
	return r, err
}

// ask gives an order and waits until it is carried out.
func (c *contender) ask(o drive.Order) (drive.Reply, error) {
	if err := json.NewEncoder(c.in).Encode(o); err != nil {
		return drive.Reply{}, fmt.Errorf("driving %s: %w", c.title(), err)
	}
	return c.read()
}

func (c *contender) read() (r drive.Reply, err error) {
	if err = c.out.Decode(&r); err == nil && r.Err != "" {
		err = errors.New(r.Err)
	}
	if err != nil {
		err = fmt.Errorf("driving %s: %w", c.title(), err)
	}
	return r, err
}

// close ends the process and waits for it: closing a store writes what it holds back.
func (c *contender) close() (err error) {
	if c.process != nil {
		_ = c.in.Close()
		if err = c.process.Wait(); err != nil {
			err = fmt.Errorf("ending %s: %w", c.title(), err)
		}
		c.process = nil
	}
	return err
}

// kill ends the process as a crash would.
func (c *contender) kill() {
	_ = c.process.Process.Kill()
	_ = c.process.Wait()
	c.process = nil
}
