package storebench

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// contender is a store and the process that drives it.
type contender struct {
	name    string
	version string
	command func(held int) []string
	held    int // subjects in it, from 0 on

	process *drive.Process // nil when none runs
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
	p, r, err := drive.Start(ctx, c.name, c.command(c.held))
	c.process, c.version = p, r.Version
	return r, err
}

// ask gives an order and waits until it is carried out.
func (c *contender) ask(o drive.Order) (drive.Reply, error) { return c.process.Ask(o) }

// close ends the process, if there is one, and waits for it.
func (c *contender) close() (err error) {
	if c.process != nil {
		err = c.process.Close()
		c.process = nil
	}
	return err
}

// kill ends the process as a crash would.
func (c *contender) kill() {
	c.process.Kill()
	c.process = nil
}
