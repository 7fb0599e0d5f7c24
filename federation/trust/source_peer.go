package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/federation/internal/strictcbor"
)

// PeerProtocol is the libp2p protocol ID of the trust exchange.
const PeerProtocol = "/tamga/trust/1"

const (
	operationConfiguration = "get-entity-configuration"

	// maxPeerRequest bounds a request; an Entity Identifier and a few bytes.
	maxPeerRequest = maxEntityID + 128
	// maxPeerResponse bounds a response; one statement and a few bytes.
	maxPeerResponse = maxStatement + 128
)

// peerRequest and peerResponse are the frames of /tamga/trust/1, deterministic CBOR
// (RFC 8949 section 4.2.1):
//
//	request  = { 1: "get-entity-configuration", 2: entity-identifier: tstr }
//	response = { 1: status: "ok" / "not-found" / "malformed" / "unavailable", ? 2: token: tstr }
type peerRequest struct {
	Operation string `cbor:"1,keyasint"`
	Entity    string `cbor:"2,keyasint"`
}

type peerResponse struct {
	Status string `cbor:"1,keyasint"`
	Token  string `cbor:"2,keyasint,omitempty"`
}

const (
	statusOK          = "ok"
	statusNotFound    = "not-found"
	statusMalformed   = "malformed"
	statusUnavailable = "unavailable"
)

// PeerSource asks a node for its Entity Configuration over libp2p, and everything
// else of the Source beneath it. Nodes that serve no HTTP are reached that way.
type PeerSource struct {
	// Source answers for superiors, and for Entities that Locate does not know;
	// required.
	Source
	// Exchange sends one frame of [PeerProtocol] to a peer and returns its reply.
	// It bounds time and bytes; required.
	Exchange func(ctx context.Context, peerID string, addrs []string, frame []byte) ([]byte, error)
	// Locate tells how a node is reached, usually from the last snapshot of a
	// [Directory]; required.
	Locate func(id EntityID) (peerID string, addrs []string, ok bool)
}

var _ Source = PeerSource{}

// EntityConfiguration implements [Source].
func (p PeerSource) EntityConfiguration(ctx context.Context, id EntityID) (string, error) {
	peerID, addrs, ok := p.Locate(id)
	if !ok {
		return p.Source.EntityConfiguration(ctx, id)
	}
	frame, err := encodeFrame(peerRequest{operationConfiguration, string(id)})
	if err != nil {
		return "", err
	}
	reply, err := p.Exchange(ctx, peerID, addrs, frame)
	if err != nil {
		return "", fmt.Errorf("fetching entity configuration of %q from its node: %w", clip(string(id)), err)
	}
	r, err := decodeFrame[peerResponse](reply, maxPeerResponse)
	if err != nil || r.Status != statusOK || r.Token == "" {
		return "", fmt.Errorf("fetching entity configuration of %q from its node: no statement in the reply", clip(string(id)))
	}
	return r.Token, nil
}

// ServeFrame answers one frame of [PeerProtocol]. It always returns a reply, never
// more than one statement, and says nothing but what the node publishes anyway.
func (p *Publisher) ServeFrame(frame []byte) []byte {
	reply, err := encodeFrame(p.answer(frame))
	if err != nil {
		panic("trust: encoding a reply of two strings: " + err.Error())
	}
	return reply
}

func (p *Publisher) answer(frame []byte) peerResponse {
	q, err := decodeFrame[peerRequest](frame, maxPeerRequest)
	if err != nil || q.Operation != operationConfiguration {
		return peerResponse{Status: statusMalformed}
	}
	if q.Entity != string(p.configuration.Entity) {
		return peerResponse{Status: statusNotFound}
	}
	token, err := p.Token()
	if err != nil {
		return peerResponse{Status: statusUnavailable}
	}
	return peerResponse{Status: statusOK, Token: token}
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
