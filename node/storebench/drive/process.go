package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Process is another process that serves orders, seen from the one that gives them.
type Process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// Start starts a process that calls [Serve] and waits until it is ready; the reply is its first. name is for errors.
func Start(ctx context.Context, name string, args []string) (*Process, Reply, error) {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, Reply{}, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, Reply{}, err
	}
	if err := c.Start(); err != nil {
		return nil, Reply{}, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{name: name, cmd: c, in: in, out: json.NewDecoder(out)}
	r, err := p.read()
	if err != nil {
		return nil, Reply{}, errors.Join(err, p.Close())
	}
	return p, r, nil
}

// Ask gives an order and waits until it is carried out.
func (p *Process) Ask(o Order) (Reply, error) {
	if err := json.NewEncoder(p.in).Encode(o); err != nil {
		return Reply{}, fmt.Errorf("driving %s: %w", p.name, err)
	}
	return p.read()
}

func (p *Process) read() (r Reply, err error) {
	if err = p.out.Decode(&r); err == nil && r.Err != "" {
		err = errors.New(r.Err)
	}
	if err != nil {
		err = fmt.Errorf("driving %s: %w", p.name, err)
	}
	return r, err
}

// Close ends the process and waits for it: closing a store writes what it holds back.
func (p *Process) Close() error {
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("ending %s: %w", p.name, err)
	}
	return nil
}

// Kill ends the process as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
