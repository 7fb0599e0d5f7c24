package membership

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/federation/internal/strictcbor"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	// maxNotice bounds a notice on the wire, which is one frame of the transport.
	maxNotice = 256 << 10
	// noticeOverhead is what CBOR takes of that beside the two strings: a map of two, two
	// keys, two lengths.
	noticeOverhead = 1 + 2*(1+5)
)

var frameCodec = sync.OnceValues(func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("membership: CBOR encoding options: " + err.Error())
	}
	return enc, strictcbor.NewDecoder(strictcbor.Limits{Nesting: 4, Elements: 16, Pairs: 16})
})

// Frame is the notice as members hand it on, deterministic CBOR (PROTOCOL.md, TMG-E-009):
//
//	notice = { 1: tstr, 2: tstr }   ; Entity Configuration of the Anchor, listing
func (n Notice) Frame() []byte {
	enc, _ := frameCodec()
	b, err := enc.Marshal(n)
	if err != nil {
		panic("membership: encoding two strings: " + err.Error())
	}
	return b
}

// ParseNotice accepts the one deterministic encoding of a notice. Nothing in it is
// verified.
func ParseNotice(frame []byte) (Notice, error) {
	_, dec := frameCodec()
	var n Notice
	if len(frame) > maxNotice || dec.Unmarshal(frame, &n) != nil || n.Configuration == "" || n.Listing == "" || !bytes.Equal(n.Frame(), frame) {
		return Notice{}, errors.New("reading notice: not the CBOR map of this protocol")
	}
	return n, nil
}

// Serve answers a notice that a member sent: it is taken over when it is newer, and the
// reply is the newest of that Anchor, so that both sides then hold it. The error is for
// the log; there is no reply then.
func (k *Keeper) Serve(frame []byte, now time.Time) (reply []byte, l Listing, newer bool, err error) {
	n, err := ParseNotice(frame)
	if err != nil {
		return nil, Listing{}, false, err
	}
	id, err := n.anchorOf()
	if err != nil {
		return nil, Listing{}, false, err
	}
	l, newer, err = k.Offer(n, now)
	if err != nil && !newer {
		return nil, Listing{}, false, err
	}
	_, held, ok := k.Held(id)
	if !ok {
		return nil, Listing{}, false, trust.ErrUndetermined
	}
	return held.Frame(), l, newer, err
}
