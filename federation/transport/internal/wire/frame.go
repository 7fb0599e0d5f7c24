package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// HeaderSize is the length prefix of a frame.
	HeaderSize = 4
	// FirstChunk is how much of a frame is allocated on the word of its length alone; more only as bytes arrive, so
	// that a claimed length costs the claimer, not us.
	FirstChunk = 16 << 10
)

// Append appends length (4 bytes, big endian) and payload to dst. The payload has been checked by Check.
func Append(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...)
}

// Check refuses what a frame cannot carry.
func Check(payload []byte, limit int) error {
	switch {
	case len(payload) == 0:
		return fmt.Errorf("%w: empty payload", ErrMalformed)
	case len(payload) > limit:
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(payload), limit)
	}
	return nil
}

// Hooks let the reader of a frame keep time and account for memory. Nil members do nothing.
type Hooks struct {
	Began   func() error      // the first byte has arrived
	Reserve func(n int) error // n bytes more than FirstChunk are going to be allocated
}

// Read reads one frame of at most limit bytes of payload; on error the payload is nil. io.EOF alone means that
// the stream ended between frames; within one it is ErrMalformed.
func Read(r io.Reader, limit int, hooks Hooks) ([]byte, error) {
	var header [HeaderSize]byte
	n, err := r.Read(header[:])
	for n == 0 && err == nil {
		n, err = r.Read(header[:])
	}
	if n == 0 {
		return nil, err
	}
	if hooks.Began != nil {
		if err := hooks.Began(); err != nil {
			return nil, err
		}
	}
	if n < HeaderSize {
		if err == nil {
			_, err = io.ReadFull(r, header[n:])
		}
		if err != nil {
			return nil, torn(err)
		}
	}
	size := int64(binary.BigEndian.Uint32(header[:]))
	switch {
	case size == 0:
		return nil, fmt.Errorf("%w: length zero", ErrMalformed)
	case size > int64(limit):
		return nil, fmt.Errorf("%w: %d bytes announced, limit %d", ErrTooLarge, size, limit)
	}
	return readPayload(r, int(size), hooks)
}

func readPayload(r io.Reader, size int, hooks Hooks) ([]byte, error) {
	buf := make([]byte, min(size, FirstChunk))
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, torn(err)
	}
	if len(buf) < size && hooks.Reserve != nil {
		if err := hooks.Reserve(size - FirstChunk); err != nil {
			return nil, err
		}
	}
	for len(buf) < size {
		have := len(buf)
		grown := make([]byte, min(size, 2*have))
		copy(grown, buf)
		if _, err := io.ReadFull(r, grown[have:]); err != nil {
			return nil, torn(err)
		}
		buf = grown
	}
	return buf, nil
}

// torn marks an end of stream inside a frame as malformed and leaves other errors alone.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: stream ended inside a frame", ErrMalformed)
	}
	return err
}
