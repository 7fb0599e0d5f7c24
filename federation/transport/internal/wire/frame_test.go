package transport_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tamga-id/tamga/federation/transport"
)

// base58PeerID computes a peer ID from the specification, without libp2p.
func base58PeerID(publicKeyHex string) transport.PeerID {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	n, _ := new(big.Int).SetString("002408011220"+publicKeyHex, 16)
	var out []byte
	for rest := new(big.Int); n.Sign() > 0; {
		n.DivMod(n, big.NewInt(58), rest)
		out = append([]byte{alphabet[rest.Int64()]}, out...)
	}
	return transport.PeerID("1" + string(out)) // one leading zero byte
}

func TestFrame(t *testing.T) {
	for _, row := range []struct {
		name, wire, want string
		err              error
	}{
		{"one", "00000001 78", "x", nil},
		{"rest-is-left", "00000002 7879 7a", "xy", nil},
		{"at-limit", "00000008 3132333435363738", "12345678", nil},
		{"none", "", "", io.EOF},
		{"zero", "00000000", "", transport.ErrMalformed},
		{"over-limit", "00000009 313233343536373839", "", transport.ErrTooLarge},
		{"huge", "ffffffff", "", transport.ErrTooLarge},
		{"cut-header", "000000", "", transport.ErrMalformed},
		{"no-payload", "00000001", "", transport.ErrMalformed},
		{"cut-payload", "00000003 7879", "", transport.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			wire, err := hex.DecodeString(strings.ReplaceAll(row.wire, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			for name, r := range map[string]io.Reader{"whole": bytes.NewReader(wire),
				"bytewise": iotest.OneByteReader(bytes.NewReader(wire)), "early-eof": iotest.DataErrReader(bytes.NewReader(wire))} {
				got, err := transport.ReadFrame(r, 8, nil)
				if string(got) != row.want || !errors.Is(err, row.err) {
					t.Errorf("%s: frame = %q, %v, want %q, %v", name, got, err, row.want, row.err)
				}
			}
		})
	}
}

// A length is not believed: only what has arrived, and as much again, is allocated.
func TestAnnouncedLengthCostsNothing(t *testing.T) {
	wire := binary.BigEndian.AppendUint32(nil, transport.MaxFrame)
	wire = append(wire, make([]byte, 100)...)
	per := testing.AllocsPerRun(10, func() {
		_, err := transport.ReadFrame(bytes.NewReader(wire), transport.MaxFrame, func(int) error {
			t.Error("more than the first chunk was wanted")
			return nil
		})
		if !errors.Is(err, transport.ErrMalformed) {
			t.Errorf("ReadFrame = %v", err)
		}
	})
	if per > 16 {
		t.Errorf("%v allocations", per)
	}
	refused := errors.New("no memory")
	wire = append(wire, make([]byte, transport.MaxFrame)...)
	got, err := transport.ReadFrame(bytes.NewReader(wire), transport.MaxFrame, func(n int) error {
		if n != transport.MaxFrame-transport.FirstChunk {
			t.Errorf("reserved %d", n)
		}
		return refused
	})
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
	f.Fuzz(func(t *testing.T, wire []byte, limit uint32, zeros uint16) {
		wire = append(bytes.Clone(wire), make([]byte, zeros)...)
		max := int(limit%transport.MaxFrame) + 1
		r := bytes.NewReader(wire)
		got, err := transport.ReadFrame(r, max, nil)
		if err != nil {
			if got != nil {
				t.Fatalf("%d bytes with error %v", len(got), err)
			}
			if len(wire) > 0 && !errors.Is(err, transport.ErrMalformed) && !errors.Is(err, transport.ErrTooLarge) {
				t.Fatalf("unexpected kind of error %v", err)
			}
			return
		}
		if len(got) == 0 || len(got) > max {
			t.Fatalf("payload of %d bytes, limit %d", len(got), max)
		}
		read := len(wire) - r.Len()
		if !bytes.Equal(transport.AppendFrame(nil, got), wire[:read]) {
			t.Fatal("encoding again gives other bytes")
		}
	})
}
