package conformance

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/party"
)

// transportCases are about connections and frames, section 2.
func transportCases() []Case {
	return []Case{
		{ID: "TMG-CONF-T-001", Title: "a peer that no Trust Chain names gets no stream", Negative: true, Requirements: []string{"TMG-T-002"},
			Hint: "Close the connection at the handshake, before any protocol is spoken.", steps: strangerRefused},
		{ID: "TMG-CONF-T-002", Title: "a frame that announces more than 262,144 bytes is not read", Negative: true, Requirements: []string{"TMG-T-003"},
			Hint: "Look at the length before anything is allocated.", steps: announces(maxFrame + 1)},
		{ID: "TMG-CONF-T-003", Title: "a frame that announces no bytes is not answered", Negative: true, Requirements: []string{"TMG-T-003"},
			steps: announces(0)},
		{ID: "TMG-CONF-T-004", Title: "after all that was refused the node still answers", Requirements: []string{"TMG-T-004", "TMG-R-011"},
			steps: matches(party.Face), Hint: "One of the faulty frames did harm that lasted."},
	}
}

func strangerRefused(ctx context.Context, s *session) error {
	if s.Tester.Stranger == nil {
		return &skip{Reason: "the tester has no connection of a stranger"}
	}
	d, err := s.Mated(s.Target.Ground())
	if err != nil {
		return err
	}
	q, err := d.Build(s.Now())
	if err != nil {
		return err
	}
	_, err = s.Tester.Stranger.Exchange(ctx, q.Frame)
	switch {
	case err == nil:
		return exchange.Broke("TMG-T-002", "a connection closed at the handshake", "a reply to a stranger")
	case errors.Is(err, context.DeadlineExceeded):
		return exchange.Broke("TMG-T-002", "a connection closed at the handshake", "a stranger who was left waiting")
	}
	return nil
}

// announces sends a length and as many bytes, and wants the stream reset.
func announces(length uint32) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		if s.Tester.Raw == nil {
			return &skip{Reason: "the tester's transport cannot break the framing"}
		}
		b := binary.BigEndian.AppendUint32(nil, length)
		if _, err := s.Tester.Raw.Exchange(ctx, append(b, make([]byte, length)...)); err == nil {
			return exchange.Broke("TMG-T-003", "a stream that is reset", "a reply")
		}
		return nil
	}
}
