package erasure

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Common is how many entries e and a list of n begin with, of which tag gives the last
// tag of so many entries.
func (e *List) Common(n uint64, tag func(n uint64) (Tag, error)) (uint64, error) {
	for n = min(n, e.n); n > 0; n-- {
		theirs, err := tag(n)
		if err != nil {
			return 0, err
		}
		ours, err := e.tagBefore(n)
		if err != nil {
			return 0, err
		}
		if theirs == ours {
			break
		}
	}
	return n, nil
}

// Copy is another copy of a list. It is for one goroutine at a time; Close it.
type Copy struct {
	path string
	list *List // nil until there is one
}

// OpenCopy opens the copy at path, if there is one: [Copy.Follow] makes it. An empty path
// is for no copy at all.
func OpenCopy(path string, key cipher.AEAD) (*Copy, error) {
	c := &Copy{path: path}
	if path == "" {
		return c, nil
	}
	list, err := Open(path, key, 0)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	c.list = list
	return c, err
}

// Check reads the copy whole. One that was edited is damage.
func (c *Copy) Check() error {
	if c.list == nil {
		return nil
	}
	if err := c.list.From(0, func(Entry) error { return nil }); err != nil {
		return fmt.Errorf("%w, in its copy %s: once the gallery and its own list are known to be as they were left, remove the copy, and it is made anew", err, filepath.Base(c.path))
	}
	return nil
}

// Adopt lists what only the copy has.
func (e *List) Adopt(c *Copy) error {
	if c.list == nil {
		return nil
	}
	common, err := e.Common(c.list.n, c.list.tagBefore)
	if err != nil || common == c.list.n {
		return err
	}
	next := e.After(e.n)
	if common == e.n { // it goes on from ours, as it is
		if err := next.takeFrom(c.list); err != nil {
			return err
		}
	}
	err = c.list.From(common, func(x Entry) error {
		if common < e.n {
			next.Seal(x)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.Put(next)
}

// takeFrom goes on as another list that begins with the same entries.
func (c *Continuation) takeFrom(e *List) error {
	c.entries = make([]byte, int64(e.n-c.from)*int64(Size))
	if _, err := e.file.ReadAt(c.entries, int64(c.from)*int64(Size)); err != nil {
		return fmt.Errorf("reading the list of erasures: %w", err)
	}
	c.n, c.last = e.n, e.last
	return nil
}

// Follow makes the copy say what the list says.
func (c *Copy) Follow(e *List) (err error) {
	if c.path == "" || c.list == nil && e.n == 0 {
		return nil
	}
	if c.list == nil {
		if c.list, err = Open(c.path, e.aead, os.O_CREATE); err != nil {
			return err
		}
	}
	common, err := c.list.Common(e.n, e.tagBefore)
	if err != nil || common == e.n && common == c.list.n {
		return err
	}
	next := c.list.After(common)
	if err := next.takeFrom(e); err != nil {
		return err
	}
	return c.list.Put(next)
}

// Close closes the file, if there is one.
func (c *Copy) Close() error {
	if c.list == nil {
		return nil
	}
	return c.list.Close()
}

// Continuation is what is to follow the first entries of a list.
type Continuation struct {
	e       *List
	from, n uint64
	last    Tag
	entries []byte
	err     error
}

// After begins a continuation of the first n entries.
func (e *List) After(n uint64) *Continuation {
	c := &Continuation{e: e, from: n, n: n}
	c.last, c.err = e.tagBefore(n)
	return c
}

// Len is how many entries the list has once this is put.
func (c *Continuation) Len() uint64 { return c.n }

func (c *Continuation) add(entry []byte) {
	c.entries = append(c.entries, entry...)
	c.n, c.last = c.n+1, tagOf(entry)
}

// Take adds an entry as it is, if it follows.
func (c *Continuation) Take(entry []byte) error {
	if _, err := c.e.open(entry, c.n, c.last); err != nil {
		return err
	}
	c.add(entry)
	return nil
}

// Seal adds an entry that says x, and returns it as it will be written.
func (c *Continuation) Seal(x Entry) []byte {
	entry := c.e.seal(x, c.n, c.last)
	c.add(entry)
	return entry
}
