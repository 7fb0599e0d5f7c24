package search

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/tamga-id/tamga/matcher/internal/scan"
)

// Errors of every index, to be tested for with errors.Is.
var (
	// ErrClosed says that the index was closed before the work was done.
	ErrClosed = errors.New("index is closed")
	// ErrUnusable says that a template is wiped, of another model, or too poor to be found again.
	ErrUnusable = errors.New("template cannot be searched with")
	// ErrOptions says that the caller asked for something that there is not.
	ErrOptions = errors.New("invalid options")
	// ErrMemory says that the allocator of the [Config] gave less than it was asked for.
	ErrMemory = errors.New("no memory for a segment")
)

// MaxWorkers is the largest number of goroutines of one search.
const MaxWorkers = 256

// Instructions names the processor instructions that searches use: "avx512",
// "avx2", or "go" for none in particular. Results are the same with all: a set that
// disagrees with pure Go on this processor is not chosen.
func Instructions() string { return scan.Best().Name }

// Config is how an index uses the machine. The zero value is one goroutine and
// ordinary memory.
type Config struct {
	// Workers is the number of goroutines of one search, 1 to [MaxWorkers]; 0 is 1.
	// More than the processor's cores gain nothing.
	Workers int
	// Allocate returns that many bytes, zeroed, for rows of faces and irises; nil takes them
	// from the heap. An allocator that maps huge pages spares a large scan most of its
	// address translation. It is called with one lock held and must not call the index.
	Allocate func(bytes int) []byte
	// Release takes back, wiped, what Allocate gave; nil does nothing.
	Release func([]byte)
}

// Segments grow with the index, from first to last rows.
const (
	firstRows = 64
	lastRows  = 1 << 14
	// blockBytes is how much is compared at a time: little enough to stay in the second-level
	// cache while several queries pass over it.
	blockBytes = 128 << 10
)

// segment is a part of the index that never moves.
type segment struct {
	// mu is held for reading while a block is compared and for writing while one row changes.
	mu sync.RWMutex
	// All below is guarded by mu; the slices never change their length.
	raw    []byte    // as allocated
	rows   []byte    // raw, aligned
	norms  []float32 // factor of the row's score; not a number where there is nobody
	ids    []ID
	used   int   // rows from here on were never taken
	live   []int // taken rows, by block
	masked int   // irises: rows whose mask excludes something
	// fingers are the rows of an index of fingers, beside those above; nil in others.
	fingers []fingerRow
}

// store is what all indexes share: rows in segments, and who they belong to.
type store struct {
	config Config
	stride int // bytes of a row; 0 for fingers, whose rows differ in size
	block  int // rows of a block, a multiple of scan.Tile and of 32

	// changing serialises Add, Remove and Close.
	changing sync.Mutex
	segments atomic.Pointer[[]*segment] // the slice is replaced, never edited
	taken    atomic.Int64               // references
	apart    atomic.Int64               // bytes that rows hold elsewhere
	closed   atomic.Bool
}

func (s *store) init(c Config, stride int) error {
	if c.Workers < 0 || c.Workers > MaxWorkers {
		return fmt.Errorf("opening index: %w: Workers", ErrOptions)
	}
	if c.Workers == 0 {
		c.Workers = 1
	}
	s.config, s.stride = c, stride
	s.block = fingerBlock
	if stride > 0 {
		s.block = min(1024, max(64, blockBytes/stride&^31))
	}
	s.segments.Store(new([]*segment))
	return nil
}

// LogValue keeps the contents of an index out of logs.
func (*store) LogValue() slog.Value { return slog.StringValue("index(redacted)") }

// Format keeps the contents of an index out of anything printed, whatever the verb.
func (*store) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "index(redacted)") }

// Len is the number of references.
func (s *store) Len() int { return int(s.taken.Load()) }

// rowBytes is what a row takes besides its own bytes.
const rowBytes = int(unsafe.Sizeof(float32(0)) + unsafe.Sizeof(ID{}))

// Memory is the number of bytes that the rows of the index occupy, those not
// yet taken included.
func (s *store) Memory() int {
	total := int(s.apart.Load())
	for _, g := range *s.segments.Load() {
		total += len(g.norms) * rowBytes
		if s.stride > 0 {
			total += len(g.norms)*s.stride + scan.Lanes
		}
	}
	return total
}

// nobody marks a row without a reference: no comparison with it is true.
var nobody = float32(math.NaN())

// place returns a segment with a free row, and the row.
func (s *store) placeLocked() (*segment, int, error) {
	all := *s.segments.Load()
	taken := int(s.taken.Load())
	room := 0
	for i := len(all) - 1; i >= 0; i-- {
		if g := all[i]; g.used < len(g.norms) {
			return g, g.used, nil
		}
		room += len(all[i].norms)
	}
	if taken < room { // somebody was removed
		for _, g := range all {
			for row, n := range g.norms {
				if n != n {
					return g, row, nil
				}
			}
		}
	}
	g, err := s.newSegment(min(lastRows, firstRows<<min(len(all), 16)))
	if err != nil {
		return nil, 0, err
	}
	more := append(all[:len(all):len(all)], g)
	s.segments.Store(&more)
	return g, 0, nil
}

func (s *store) newSegment(rows int) (*segment, error) {
	g := &segment{norms: make([]float32, rows), ids: make([]ID, rows), live: make([]int, (rows+s.block-1)/s.block)}
	for i := range g.norms {
		g.norms[i] = nobody
	}
	if s.stride == 0 {
		g.fingers = make([]fingerRow, rows)
		return g, nil
	}
	want := rows*s.stride + scan.Lanes
	if s.config.Allocate == nil {
		g.raw = make([]byte, want)
	} else if g.raw = s.config.Allocate(want); len(g.raw) < want {
		return nil, ErrMemory
	}
	// A row that straddles cache lines costs two reads for one.
	skip := int(-uintptr(unsafe.Pointer(&g.raw[0])) % scan.Lanes)
	g.rows = g.raw[skip : skip+rows*s.stride]
	return g, nil
}

// add takes a row. Fill writes it.
func (s *store) add(id ID, norm float32, fill func(g *segment, row int)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.closed.Load() {
		return ErrClosed
	}
	g, row, err := s.placeLocked()
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	fill(g, row)
	g.norms[row], g.ids[row] = norm, id
	g.used = max(g.used, row+1)
	g.live[row/s.block]++
	s.taken.Add(1)
	return nil
}

// bytes are those of a row of faces or irises.
func (s *store) bytes(g *segment, row int) []byte { return g.rows[row*s.stride:][:s.stride] }

// remove has every row of a subject overwritten by wipe and returns how many
// there were.
func (s *store) remove(id ID, wipe func(g *segment, row int)) int {
	s.changing.Lock()
	defer s.changing.Unlock()
	removed := 0
	for _, g := range *s.segments.Load() {
		for row := range g.used { // only changes write ids, and they wait for us
			if g.ids[row] != id || g.norms[row] != g.norms[row] {
				continue
			}
			g.mu.Lock()
			wipe(g, row)
			g.norms[row], g.ids[row] = nobody, ID{}
			g.live[row/s.block]--
			g.mu.Unlock()
			removed++
		}
	}
	s.taken.Add(int64(-removed))
	return removed
}

// close overwrites the references and gives their memory back. It may be called twice.
func (s *store) close() {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.closed.Store(true)
	for _, g := range *s.segments.Load() {
		g.mu.Lock() // waits for the block that is being compared
		clear(g.raw)
		clear(g.ids)
		for i := range g.fingers {
			g.fingers[i].wipe()
		}
		for i := range g.norms {
			g.norms[i] = nobody
		}
		g.used = 0
		if s.config.Release != nil && s.config.Allocate != nil && g.raw != nil {
			s.config.Release(g.raw)
		}
		g.raw, g.rows, g.fingers = nil, nil, nil
		g.mu.Unlock()
	}
	s.segments.Store(new([]*segment))
	s.taken.Store(0)
	s.apart.Store(0)
}
