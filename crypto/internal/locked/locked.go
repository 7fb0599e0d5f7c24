// Package locked holds keys in memory that is neither swapped out nor written
// to a core dump, where the system allows it.
//
// [New] gives a [Buffer] on pages of its own, outside the Go heap, so that the
// garbage collector neither copies nor reuses them; [Buffer.Wipe] overwrites it.
// When the system refuses to lock the pages (RLIMIT_MEMLOCK is too small), or
// cannot, the buffer works all the same and [Buffer.Locked] says so.
//
// The package cannot keep copies from being made: what is read out of a buffer
// into a cipher, a register or another slice is beyond it, and a hibernating
// machine writes locked pages too.
package locked

import "runtime"

// Buffer is a fixed number of bytes. The zero value holds none. It is not safe
// for concurrent use.
type Buffer struct {
	bytes  []byte
	locked bool
}

// New returns a zeroed buffer of n bytes. Its pages are released once it is
// unreachable, wiped before. Use [runtime.KeepAlive] where Bytes outlives the
// last mention of the buffer.
func New(n int) *Buffer {
	pages, isLocked := allocate(n)
	if pages == nil {
		return &Buffer{bytes: make([]byte, n)}
	}
	b := &Buffer{bytes: pages[:n], locked: isLocked}
	runtime.AddCleanup(b, release, pages)
	return b
}

// Bytes returns the memory itself, which must not be used once b is unreachable.
func (b *Buffer) Bytes() []byte { return b.bytes }

// Locked reports whether the memory is kept from swap and core dumps.
func (b *Buffer) Locked() bool { return b.locked }

// Wipe overwrites the bytes with zeros.
func (b *Buffer) Wipe() {
	clear(b.bytes)
	runtime.KeepAlive(b)
}
