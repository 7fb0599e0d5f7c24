package transport_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

// Two nodes that know each other; the second answers the first.
func Example() {
	asking, answering := make([]byte, 32), make([]byte, 32)
	answering[0] = 1 // seeds come from the keystore in a real node
	asker, _ := transport.PeerIDFromSeed(asking)
	answerer, _ := transport.PeerIDFromSeed(answering)
	member := func(p transport.PeerID) bool { return p == asker || p == answerer }

	b, err := transport.New(transport.Config{Seed: answering, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}, Admit: member},
		map[string]transport.Handler{
			transport.ProtocolQuery: func(_ context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
				return fmt.Appendf(nil, "%s from the asker: %t", frame, from == asker), nil
			},
		})
	if err != nil {
		panic(err)
	}
	defer func() { _ = b.Close() }()
	a, err := transport.New(transport.Config{Seed: asking, Admit: member}, nil)
	if err != nil {
		panic(err)
	}
	defer func() { _ = a.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reply, err := a.Exchange(ctx, b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("salem"))
	fmt.Println(string(reply), err)
	// Output: salem from the asker: true <nil>
}
