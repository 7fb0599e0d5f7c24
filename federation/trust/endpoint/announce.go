package endpoint

import (
	"errors"
	"net/url"

	"github.com/tamga-id/tamga/federation/trust"
)

// announce is the operation of [PeerProtocol] by which a member hands its new Entity Configuration to another, before
// their superior hears of it. HTTP has none: nobody there is known by a handshake.
const announce = "announce"

const announced = "entity_configuration"

// maxAnnouncement bounds the frame: a statement, an Entity Identifier and a few bytes.
const maxAnnouncement = maxPeerResponse + 2048

// AnnounceFrame is the request that hands an Entity Configuration to the node of the Entity to.
func AnnounceFrame(to trust.EntityID, configuration string) ([]byte, error) {
	return encodeFrame(peerRequest{announce, string(to), url.Values{announced: {configuration}}})
}

// Announced returns the Entity Configuration that a frame hands to the Entity id, and whether it is such a frame.
func Announced(id trust.EntityID, frame []byte) (configuration string, ok bool) {
	q, err := decodeFrame[peerRequest](frame, maxAnnouncement)
	if err != nil || q.Operation != announce || q.Entity != string(id) || len(q.Values) != 1 || len(q.Values[announced]) != 1 {
		return "", false
	}
	return q.Values[announced][0], true
}

// AnnounceReply says whether the announcement was taken over.
func AnnounceReply(taken bool) []byte {
	r := peerResponse{Status: statusOK}
	if !taken {
		r.Status = statusRefused
	}
	reply, err := encodeFrame(r)
	if err != nil {
		panic("endpoint: encoding a reply of one string: " + err.Error())
	}
	return reply
}

// Taken reads the reply to an announcement.
func Taken(reply []byte) error {
	r, err := decodeFrame[peerResponse](reply, maxPeerResponse)
	if err == nil && r.Status == statusOK {
		return nil
	}
	return errors.New("announcing an Entity Configuration: the member did not take it")
}
