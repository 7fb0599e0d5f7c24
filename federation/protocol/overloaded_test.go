package protocol_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
)

func TestOverloaded(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		frame []byte
		read  time.Duration
	}{
		{0, []byte{0x15, 0, 0, 0, 0}, 0},
		{-1, []byte{0x15, 0, 0, 0, 0}, 0},
		{1, []byte{0x15, 0, 0, 0, 1}, time.Millisecond},
		{1500 * time.Millisecond, []byte{0x15, 0, 0, 5, 0xdc}, 1500 * time.Millisecond},
		{time.Hour, []byte{0x15, 0, 0, 0xea, 0x60}, time.Minute},
	} {
		frame := protocol.Overloaded(c.after)
		if !bytes.Equal(frame, c.frame) {
			t.Errorf("Overloaded(%v) = %x, want %x", c.after, frame, c.frame)
		}
		if got, ok := protocol.ParseOverloaded(frame); !ok || got != c.read {
			t.Errorf("ParseOverloaded(%x) = %v, %v, want %v", frame, got, ok, c.read)
		}
	}
	for _, c := range []struct {
		frame []byte
		after time.Duration
		ok    bool
	}{
		{[]byte{0x15}, 0, true},
		{[]byte{0x15, 0xff, 0xff, 0xff, 0xff}, time.Minute, true},
		{nil, 0, false}, {[]byte{0x16}, 0, false}, {[]byte{0x15, 0x15}, 0, false}, {[]byte{0x15, 0, 0, 0, 0, 0}, 0, false},
		{[]byte("eyJ..."), 0, false},
	} {
		if got, ok := protocol.ParseOverloaded(c.frame); got != c.after || ok != c.ok {
			t.Errorf("ParseOverloaded(%x) = %v, %v, want %v, %v", c.frame, got, ok, c.after, c.ok)
		}
	}
}
