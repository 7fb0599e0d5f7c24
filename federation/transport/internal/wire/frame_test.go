package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tamga-id/tamga/federation/transport/internal/wire"
)

// maxFrame is what hosts allow.
const maxFrame = 256 << 10

func TestFrame(t *testing.T) {
	for _, row := range []struct {
		name, raw, want string
		err             error
	}{
		{"one", "00000001 78", "x", nil},
		{"rest-is-left", "00000002 7879 7a", "xy", nil},
		{"at-limit", "00000008 3132333435363738", "12345678", nil},
		{"none", "", "", io.EOF},
		{"zero", "00000000", "", wire.ErrMalformed},
		{"over-limit", "00000009 313233343536373839", "", wire.ErrTooLarge},
		{"huge", "ffffffff", "", wire.ErrTooLarge},
		{"cut-header", "000000", "", wire.ErrMalformed},
		{"no-payload", "00000001", "", wire.ErrMalformed},
		{"cut-payload", "00000003 7879", "", wire.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			raw, err := hex.DecodeString(strings.ReplaceAll(row.raw, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			for name, r := range map[string]io.Reader{"whole": bytes.NewReader(raw),
				"bytewise": iotest.OneByteReader(bytes.NewReader(raw)), "early-eof": iotest.DataErrReader(bytes.NewReader(raw))} {
				got, err := wire.Read(r, 8, wire.Hooks{})
				if string(got) != row.want || !errors.Is(err, row.err) {
					t.Errorf("%s: frame = %q, %v, want %q, %v", name, got, err, row.want, row.err)
				}
			}
		})
	}
}

// A length is not believed: only what has arrived, and as much again, is allocated.
func TestAnnouncedLengthCostsNothing(t *testing.T) {
	raw := binary.BigEndian.AppendUint32(nil, maxFrame)
	raw = append(raw, make([]byte, 100)...)
	per := testing.AllocsPerRun(10, func() {
		_, err := wire.Read(bytes.NewReader(raw), maxFrame, wire.Hooks{Reserve: func(int) error {
			t.Error("more than the first chunk was wanted")
			return nil
		}})
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("ReadFrame = %v", err)
		}
	})
	if per > 16 {
		t.Errorf("%v allocations", per)
	}
	refused := errors.New("no memory")
	raw = append(raw, make([]byte, maxFrame)...)
	got, err := wire.Read(bytes.NewReader(raw), maxFrame, wire.Hooks{Reserve: func(n int) error {
		if n != maxFrame-wire.FirstChunk {
			t.Errorf("reserved %d", n)
		}
		return refused
	}})
	if got != nil || !errors.Is(err, refused) {
		t.Errorf("frame of %d bytes, %v after memory was refused", len(got), err)
	}
}

func FuzzReadFrame(f *testing.F) {
	seeds := [][]byte{nil, {0}, {0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 1, 'x'}, {0, 0, 0, 2, 'x'}, {0xff, 0xff, 0xff, 0xff}}
	for _, s := range seeds {
		f.Add(s, uint32(50000), uint16(0))
	}
	f.Add([]byte{0, 0, 0x9c, 0x40}, uint32(50000), uint16(40000))
	f.Add([]byte{0, 0, 0x9c, 0x40}, uint32(50000), uint16(20000))
	// Zeros are appended by count, since inputs of that length would keep the fuzzer busy making them shorter.
	f.Fuzz(func(t *testing.T, raw []byte, limit uint32, zeros uint16) {
		raw = append(bytes.Clone(raw), make([]byte, zeros)...)
		most := int(limit%maxFrame) + 1
		r := bytes.NewReader(raw)
		got, err := wire.Read(r, most, wire.Hooks{})
		if err != nil {
			if got != nil {
				t.Fatalf("%d bytes with error %v", len(got), err)
			}
			if len(raw) > 0 && !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrTooLarge) {
				t.Fatalf("unexpected kind of error %v", err)
			}
			return
		}
		if len(got) == 0 || len(got) > most {
			t.Fatalf("payload of %d bytes, limit %d", len(got), most)
		}
		read := len(raw) - r.Len()
		if !bytes.Equal(wire.Append(nil, got), raw[:read]) {
			t.Fatal("encoding again gives other bytes")
		}
	})
}
