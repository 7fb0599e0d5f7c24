package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/internal/strictcbor"
	"github.com/tamga-id/tamga/federation/trust"
)

// PeerProtocol is the libp2p protocol ID of the trust exchange.
const PeerProtocol = "/tamga/trust/1"

const (
	// maxPeerRequest bounds a request: an Entity Identifier, parameters, a Trust Mark.
	maxPeerRequest = maxForm
	// maxPeerResponse bounds a response: one resolve response and a few bytes.
	maxPeerResponse = jose.MaxTokenSize + 128
)

// peerRequest and peerResponse are the frames of /tamga/trust/1, deterministic CBOR
// (RFC 8949 section 4.2.1):
//
//	request  = { 1: operation: tstr, 2: entity-identifier: tstr, ? 3: { + tstr => [ + tstr ] } }
//	response = { 1: status: "ok" / "not-found" / "malformed" / "refused" / "unavailable", ? 2: body: tstr }
type peerRequest struct {
	Operation string     `cbor:"1,keyasint"`
	Entity    string     `cbor:"2,keyasint"`
	Values    url.Values `cbor:"3,keyasint,omitempty"`
}

type peerResponse struct {
	Status string `cbor:"1,keyasint"`
	Body   string `cbor:"2,keyasint,omitempty"`
}

const (
	statusOK          = "ok"
	statusNotFound    = "not-found"
	statusMalformed   = "malformed"
	statusRefused     = "refused"
	statusUnavailable = "unavailable"
)

func (c Code) frameStatus() string {
	switch c {
	case "":
		return statusOK
	case NotFound:
		return statusNotFound
	case InvalidRequest, UnsupportedParameter:
		return statusMalformed
	case ServerError:
		return statusUnavailable
	default:
		return statusRefused
	}
}

// Peer asks a node that is reached over libp2p for what it publishes, and everybody
// else over the Source beneath it. Nodes that serve no HTTP, Intermediates among
// them, are reached that way.
type Peer struct {
	// Source answers for Entities that Locate does not know; required.
	trust.Source
	// Exchange sends one frame of [PeerProtocol] to a peer and returns its reply.
	// It bounds time and bytes; required.
	Exchange func(ctx context.Context, peerID string, addrs []string, frame []byte) ([]byte, error)
	// Locate tells how a node is reached, usually from the last snapshot of a
	// directory; required.
	Locate func(id trust.EntityID) (peerID string, addrs []string, ok bool)
}

var _ trust.Source = Peer{}

// EntityConfiguration implements [trust.Source].
func (p Peer) EntityConfiguration(ctx context.Context, id trust.EntityID) (string, error) {
	if _, _, ok := p.Locate(id); !ok {
		return p.Source.EntityConfiguration(ctx, id)
	}
	return p.ask(ctx, id, Configuration, nil)
}

// SubordinateStatement implements [trust.Source].
func (p Peer) SubordinateStatement(ctx context.Context, superior, subject trust.EntityID) (string, error) {
	if _, _, ok := p.Locate(superior); !ok {
		return p.Source.SubordinateStatement(ctx, superior, subject)
	}
	return p.ask(ctx, superior, Fetch, url.Values{"sub": {string(subject)}})
}

// List implements [trust.Source].
func (p Peer) List(ctx context.Context, superior trust.EntityID) ([]trust.EntityID, error) {
	if _, _, ok := p.Locate(superior); !ok {
		return p.Source.List(ctx, superior)
	}
	body, err := p.ask(ctx, superior, List, nil)
	if err != nil {
		return nil, err
	}
	return parseList(superior, []byte(body))
}

// Resolve implements [trust.Source].
func (p Peer) Resolve(ctx context.Context, resolver, subject, anchor trust.EntityID) (string, error) {
	if _, _, ok := p.Locate(resolver); !ok {
		return p.Source.Resolve(ctx, resolver, subject, anchor)
	}
	return p.ask(ctx, resolver, Resolve, url.Values{"sub": {string(subject)}, "trust_anchor": {string(anchor)}})
}

// MarkStatus implements [trust.Source].
func (p Peer) MarkStatus(ctx context.Context, issuer trust.EntityID, mark string) (string, error) {
	if _, _, ok := p.Locate(issuer); !ok {
		return p.Source.MarkStatus(ctx, issuer, mark)
	}
	return p.ask(ctx, issuer, MarkStatus, url.Values{"trust_mark": {mark}})
}

// Listing asks an Intermediate that Locate knows for its signed listing.
func (p Peer) Listing(ctx context.Context, superior trust.EntityID) (string, error) {
	return p.ask(ctx, superior, Listing, nil)
}

func (p Peer) ask(ctx context.Context, id trust.EntityID, o Operation, values url.Values) (string, error) {
	peerID, addrs, _ := p.Locate(id)
	frame, err := encodeFrame(peerRequest{string(o), string(id), values})
	if err != nil {
		return "", err
	}
	reply, err := p.Exchange(ctx, peerID, addrs, frame)
	if err != nil {
		return "", fmt.Errorf("asking the node %q to %s: %w", id.Clip(), o, err)
	}
	r, err := decodeFrame[peerResponse](reply, maxPeerResponse)
	switch {
	case err == nil && r.Status == statusOK && r.Body != "":
		return r.Body, nil
	case err == nil && r.Status == statusNotFound && o != Configuration:
		return "", fmt.Errorf("asking the node %q to %s: %w", id.Clip(), o, trust.ErrNotMember)
	default:
		return "", fmt.Errorf("asking the node %q to %s: nothing of use in the reply", id.Clip(), o)
	}
}

// ServeFrame answers one frame of [PeerProtocol] to the Entity id. It always returns a
// reply, and says nothing but what the Entity publishes over HTTP anyway.
func ServeFrame(id trust.EntityID, answer func(Request) Response, frame []byte) []byte {
	reply, err := encodeFrame(answerFrame(id, answer, frame))
	if err != nil {
		panic("endpoint: encoding a reply of two strings: " + err.Error())
	}
	return reply
}

func answerFrame(id trust.EntityID, answer func(Request) Response, frame []byte) peerResponse {
	q, err := decodeFrame[peerRequest](frame, maxPeerRequest)
	if err != nil || !slices.Contains(operations[:], Operation(q.Operation)) {
		return peerResponse{Status: statusMalformed}
	}
	if q.Entity != string(id) {
		return peerResponse{Status: statusNotFound}
	}
	a := answer(Request{Operation: Operation(q.Operation), Values: q.Values})
	if a.Code != "" {
		return peerResponse{Status: a.Code.frameStatus()}
	}
	return peerResponse{Status: statusOK, Body: a.Body}
}

// frameCodec is deterministic CBOR both ways.
var frameCodec = sync.OnceValues(func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("trust: CBOR encoding options: " + err.Error())
	}
	return enc, strictcbor.NewDecoder(strictcbor.Limits{Nesting: 4, Elements: 16, Pairs: 16})
})

func encodeFrame(v any) ([]byte, error) {
	enc, _ := frameCodec()
	return enc.Marshal(v)
}

// decodeFrame accepts the one deterministic encoding of a frame and no other.
func decodeFrame[T any](b []byte, limit int) (T, error) {
	var v, zero T
	if len(b) > limit {
		return zero, errors.New("frame too long")
	}
	_, dec := frameCodec()
	if err := dec.Unmarshal(b, &v); err != nil {
		return zero, errors.New("frame is not the CBOR map of this protocol")
	}
	again, err := encodeFrame(v)
	if err != nil || !bytes.Equal(again, b) {
		return zero, errors.New("frame is not deterministically encoded")
	}
	return v, nil
}
