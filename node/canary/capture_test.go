package canary_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// capture is everything that came out. Safe for concurrent use.
type capture struct {
	mu     sync.Mutex
	pieces []piece
	count  map[string]int
	bytes  map[string]int64
}

// piece is one output: of which surface, and which of it.
type piece struct {
	surface, name string
	data          []byte
}

// Surfaces. The test demands that none of them stays empty.
const (
	onLog     = "log"
	onStderr  = "stderr of this process"
	onProcess = "output of a tamga process"
	onHTTP    = "HTTP response"
	onError   = "error"
	onResult  = "result"
	onFrame   = "frame"
	onAnswer  = "sealed part of an answer"
	onLeaf    = "ledger leaf"
	onNote    = "ledger checkpoint"
	onFile    = "file"
)

func surfaces() []string {
	return []string{onLog, onStderr, onProcess, onHTTP, onError, onResult, onFrame, onAnswer, onLeaf, onNote, onFile}
}

func newCapture() *capture {
	return &capture{count: make(map[string]int), bytes: make(map[string]int64)}
}

func (c *capture) add(surface, name string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pieces = append(c.pieces, piece{surface, name, bytes.Clone(data)})
	c.count[surface]++
	c.bytes[surface] += int64(len(data))
}

// tally counts what was searched without being held.
func (c *capture) tally(surface string, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[surface]++
	c.bytes[surface] += size
}

// err takes an error as careless code would print it, and every error it wraps.
func (c *capture) err(name string, err error) {
	if err == nil {
		return
	}
	c.add(onError, name, fmt.Appendf(nil, "%v\n%+v\n%#v\n%q", err, err, err, err))
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		c.err(name, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			c.err(name, one)
		}
	}
}

// result takes a value as careless code would print it.
func (c *capture) result(name string, v any) {
	b, _ := json.Marshal(v)
	c.add(onResult, name, b)
	c.printed(name, v)
}

// printed takes a value that may hold marks, and must hide them from fmt and slog.
func (c *capture) printed(name string, v any) {
	var line bytes.Buffer
	slog.New(slog.NewTextHandler(&line, nil)).Info("printed", "v", v)
	slog.New(slog.NewJSONHandler(&line, nil)).Info("printed", "v", v)
	c.add(onResult, name, fmt.Appendf(nil, "%v\n%+v\n%#v\n%q\n%x\n%s", v, v, v, v, v, line.Bytes()))
}

// Write takes log output.
func (c *capture) Write(p []byte) (int, error) {
	c.add(onLog, "", p)
	return len(p), nil
}

// handler is the log of everything in this process, at the level that says most.
func (c *capture) handler() slog.Handler {
	return slog.NewJSONHandler(c, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})
}

func (c *capture) all() []piece {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.pieces)
}

// volume is how much there was of each surface.
func (c *capture) volume() (map[string]int, map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.count), maps.Clone(c.bytes)
}
