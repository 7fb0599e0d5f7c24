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
	// maxStatements is how many make the longest Trust Chain with an Entity Configuration.
	maxStatements = 7
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
//	notice = { 1: tstr, 2: tstr, ? 3: [1*7 tstr] }   ; Entity Configuration, listing, Statements
func (n Notice) Frame() []byte {
	enc, _ := frameCodec()
	b, err := enc.Marshal(n)
	if err != nil {
		panic("membership: encoding strings: " + err.Error())
	}
	return b
}

// ParseNotice accepts the one deterministic encoding of a notice. Nothing in it is
// verified.
func ParseNotice(frame []byte) (Notice, error) {
	_, dec := frameCodec()
	var n Notice
	if len(frame) > maxNotice || dec.Unmarshal(frame, &n) != nil || n.Configuration == "" || n.Listing == "" || len(n.Statements) > maxStatements || !bytes.Equal(n.Frame(), frame) {
		return Notice{}, errors.New("reading notice: not the CBOR map of this protocol")
	}
	return n, nil
}

// Serve answers a notice that a member sent: it is taken over when it is newer, and the
// reply is the newest of the same issuer, so that both sides then hold it. The error is for
// the log; there is no reply then.
func Serve(k *Keeper, b *Below, frame []byte, now time.Time) (reply []byte, l Listing, newer bool, err error) {
	n, err := ParseNotice(frame)
	if err != nil {
		return nil, Listing{}, false, err
	}
	at, err := n.path()
	if err != nil {
		return nil, Listing{}, false, err
	}
	offer, keeps := k.Offer, k.Held
	if n.Statements != nil {
		offer, keeps = b.Hear, b.Held
	}
	l, newer, err = offer(n, now)
	if err != nil && !newer {
		return nil, Listing{}, false, err
	}
	_, held, ok := keeps(at)
	if !ok {
		return nil, Listing{}, false, trust.ErrUndetermined
	}
	return held.Frame(), l, newer, err
}
