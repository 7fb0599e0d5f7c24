package transport_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/tamga-id/tamga/federation/transport"
)

const requestSize, replySize = 3 << 10, 1 << 10

// BenchmarkExchange runs whole exchanges between two hosts of one process; BenchmarkBareStream below is its floor.
func BenchmarkExchange(b *testing.B) {
	for _, kind := range []string{"quic-v1", "tcp"} {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				m := membership(b, "a", "b")
				reply := make([]byte, replySize)
				answer := func(context.Context, transport.PeerID, []byte) ([]byte, error) { return reply, nil }
				a := start(b, "a", m, nil, nil)
				to := start(b, "b", m, map[string]transport.Handler{transport.ProtocolQuery: answer},
					func(c *transport.Config) { c.MaxRate, c.MaxBytes = 1<<24, 1<<32 })
				addrs, request := only(to, kind), make([]byte, requestSize)
				measure(b, n, func(int) error {
					_, err := a.Exchange(b.Context(), to.PeerID(), addrs, transport.ProtocolQuery, request)
					return err
				})
			})
		}
	}
}

// BenchmarkBareStream writes and reads the same sizes on n long-lived raw streams, with no framing, limits or timers.
func BenchmarkBareStream(b *testing.B) {
	for _, kind := range []string{"quic-v1", "tcp"} {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				m := membership(b, "a", "raw")
				raw := bareServer(b, m)
				a := start(b, "a", m, nil, nil)
				if _, err := a.Exchange(b.Context(), peerID(b, "raw"), rawAddrs(raw, kind), transport.ProtocolTrust, []byte("x")); err == nil {
					b.Fatal("raw server speaks a protocol it should not")
				}
				conn := transport.Conns(a, peerID(b, "raw"))[0]
				streams := make([]network.Stream, n)
				for i := range streams {
					s, err := conn.NewStream(b.Context())
					if err == nil {
						err = multistream.SelectProtoOrFail(protocol.ID(transport.ProtocolQuery), s)
					}
					if err != nil {
						b.Fatal(err)
					}
					streams[i] = s
				}
				request, replies := make([]byte, requestSize), make([]byte, n*replySize)
				measure(b, n, func(i int) error {
					if _, err := streams[i].Write(request); err != nil {
						return err
					}
					_, err := io.ReadFull(streams[i], replies[i*replySize:(i+1)*replySize])
					return err
				})
			})
		}
	}
}

func bareServer(b *testing.B, m *members) *transport.Raw {
	mux := multistream.NewMultistreamMuxer[protocol.ID]()
	mux.AddHandler(protocol.ID(transport.ProtocolQuery), nil)
	raw, err := transport.NewRaw(transport.Config{Seed: seed("raw"), Listen: []string{listenQUIC, listenTCP}, Admit: m.admit},
		func(s network.Stream) {
			defer func() { _ = s.Reset() }()
			if _, _, err := mux.Negotiate(s); err != nil {
				return
			}
			request, reply := make([]byte, requestSize), make([]byte, replySize)
			for {
				if _, err := io.ReadFull(s, request); err != nil {
					return
				}
				if _, err := s.Write(reply); err != nil {
					return
				}
			}
		})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	return raw
}

// measure runs b.N calls, n at a time; worker i always passes i.
func measure(b *testing.B, n int, call func(i int) error) {
	b.Helper()
	if err := call(0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}
