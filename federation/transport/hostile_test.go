package transport_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/tamga-id/tamga/federation/transport"
)

// pair is a host under test and a member that has a connection to it and may misbehave on raw streams.
func pair(t *testing.T, kind string, edit func(*transport.Config)) (bad, good *transport.Host, conn network.Conn) {
	t.Helper()
	m := membership(t, "bad", "good", "other")
	bad, good = start(t, "bad", m, nil, nil), start(t, "good", m, echoing(), edit)
	ask(t, bad, good, only(good, kind), "hello")
	return bad, good, transport.Conns(bad, good.PeerID())[0]
}

// rawStream opens a stream and agrees on the protocol.
func rawStream(t *testing.T, c network.Conn) network.Stream {
	t.Helper()
	s, err := c.NewStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := multistream.SelectProtoOrFail(protocol.ID(transport.ProtocolQuery), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantReset waits for the other end to reset the stream.
func wantReset(t *testing.T, s network.Stream, code network.StreamErrorCode) {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, s)
	reset, ok := errors.AsType[*network.StreamError](err)
	if !ok || !reset.Remote || reset.ErrorCode != code {
		t.Fatalf("stream ended with %v, want a remote reset with code %#x", err, code)
	}
}

func TestBadFrames(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		bad, good, conn := pair(t, kind, func(c *transport.Config) { c.MaxFrame = 64 << 10 })
		for _, row := range []struct {
			name string
			send []byte
			code network.StreamErrorCode
		}{
			{"zero", make([]byte, 4), transport.CodeMalformed},
			{"huge", []byte{0xff, 0xff, 0xff, 0xff}, transport.CodeTooLarge},
			{"one-over", binary.BigEndian.AppendUint32(nil, 64<<10+1), transport.CodeTooLarge},
			{"slow-header", []byte{0}, transport.CodeMalformed},
			{"slow-payload", []byte{0, 0, 0, 9, 'x'}, transport.CodeMalformed},
			{"slow-large-payload", append([]byte{0, 0, 0xff, 0xff}, make([]byte, 40000)...), transport.CodeMalformed},
		} {
			t.Run(row.name, func(t *testing.T) {
				s := rawStream(t, conn)
				if _, err := s.Write(row.send); err != nil {
					t.Fatal(err)
				}
				wantReset(t, s, row.code)
			})
		}
		t.Run("cut-short", func(t *testing.T) {
			s := rawStream(t, conn)
			if _, err := s.Write([]byte{0, 0, 0, 9, 'x'}); err != nil {
				t.Fatal(err)
			}
			if err := s.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			wantReset(t, s, transport.CodeMalformed)
		})
		ask(t, bad, good, nil, "still serving")
	})
}

func TestSlowLoris(t *testing.T) {
	bad, good, conn := pair(t, "quic-v1", nil)
	t.Run("trickle", func(t *testing.T) {
		s := rawStream(t, conn)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { // one byte every 30 ms keeps the stream busy but must not keep it alive
			tick := time.NewTicker(30 * time.Millisecond)
			defer tick.Stop()
			frame := transport.AppendFrame(nil, make([]byte, 1000))
			for i := 0; i < len(frame); i++ {
				if _, err := s.Write(frame[i : i+1]); err != nil {
					return
				}
				<-tick.C
			}
			t.Error("1004 bytes were accepted over 30 s")
		})
		wantReset(t, s, transport.CodeMalformed)
	})
	t.Run("no-protocol", func(t *testing.T) {
		s, err := conn.NewStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte{0x13}); err != nil {
			t.Fatal(err)
		}
		_ = s.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := io.Copy(io.Discard, s); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("stream ended with %v, want a reset", err)
		}
	})
	ask(t, bad, good, nil, "still serving")
}

func TestNeverReadingPeer(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		bad, good, conn := pair(t, kind, nil)
		s := rawStream(t, conn)
		defer func() { _ = s.Reset() }()
		frame := transport.AppendFrame(nil, make([]byte, transport.MaxFrame))
		var sent int
		for sent = 0; sent < 256; sent++ {
			if _, err := s.Write(frame); err != nil {
				break
			}
		}
		if sent == 256 {
			t.Fatal("64 MiB of replies were accepted for a peer that reads none")
		}
		ask(t, bad, good, nil, "still serving")
		eventually(t, "its stream is given up", func() bool { return transport.ServedStreams(good) <= 1 })
	})
}

func TestIdleStreamIsGivenUpAndRequestRepeated(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		bad, good, conn := pair(t, kind, func(c *transport.Config) { c.IdleTimeout = 100 * time.Millisecond })
		s := rawStream(t, conn)
		wantReset(t, s, transport.CodeGivenUp)
		eventually(t, "all idle streams are given up", func() bool { return transport.ServedStreams(good) == 0 })
		// bad's pool believes in 60 s; what it kept is dead, and it must notice before it writes.
		if n := transport.PooledStreams(bad, good.PeerID()); n == 0 {
			t.Fatal("nothing pooled, the test tests nothing")
		}
		ask(t, bad, good, nil, "again")
	})
}

func TestIdleStreamsAreReturned(t *testing.T) {
	m := membership(t, "a", "b")
	b := start(t, "b", m, echoing(), nil)
	a := start(t, "a", m, nil, func(c *transport.Config) { c.IdleTimeout = 60 * time.Millisecond })
	ask(t, a, b, b.Addresses(), "hello")
	eventually(t, "our idle streams are given up", func() bool {
		return transport.PooledStreams(a, b.PeerID()) == 0 && transport.ServedStreams(b) == 0
	})
}

func TestTooLarge(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		big := func(context.Context, transport.PeerID, []byte) ([]byte, error) { return make([]byte, 9000), nil }
		b := start(t, "b", m, map[string]transport.Handler{transport.ProtocolQuery: echo, transport.ProtocolTrust: big},
			func(c *transport.Config) { c.MaxFrame = 10000 })
		a := start(t, "a", m, nil, nil)
		small := start(t, "a", m, nil, func(c *transport.Config) { c.MaxFrame = 8000 })
		for _, row := range []struct {
			name string
			from *transport.Host
			id   string
			size int
			want error
		}{
			{"ours", a, transport.ProtocolQuery, transport.MaxFrame + 1, transport.ErrTooLarge},
			{"empty", a, transport.ProtocolQuery, 0, transport.ErrMalformed},
			{"theirs", a, transport.ProtocolQuery, 10001, transport.ErrTooLarge},
			{"reply", small, transport.ProtocolTrust, 1, transport.ErrTooLarge},
			{"fits", a, transport.ProtocolQuery, 10000, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				_, err := row.from.Exchange(t.Context(), b.PeerID(), only(b, kind), row.id, make([]byte, row.size))
				if !errors.Is(err, row.want) {
					t.Fatalf("Exchange = %v, want %v", err, row.want)
				}
			})
		}
	})
}

func TestHandlerFaults(t *testing.T) {
	m := membership(t, "a", "b")
	const secret = "AN1234567"
	log := &logBook{}
	handlers := map[string]transport.Handler{
		transport.ProtocolQuery: echo,
		transport.ProtocolTrust: func(_ context.Context, _ transport.PeerID, f []byte) ([]byte, error) { panic(string(f)) },
		transport.ProtocolLedger: func(_ context.Context, _ transport.PeerID, f []byte) ([]byte, error) {
			return nil, errors.New(string(f))
		},
		transport.ProtocolWitness: func(context.Context, transport.PeerID, []byte) ([]byte, error) { return nil, nil },
		"/tamga/oversize/1": func(context.Context, transport.PeerID, []byte) ([]byte, error) {
			return make([]byte, transport.MaxFrame+1), nil
		},
	}
	b := start(t, "b", m, handlers, func(c *transport.Config) { c.Logger = log.logger() })
	a := start(t, "a", m, nil, nil)
	for _, id := range []string{transport.ProtocolTrust, transport.ProtocolLedger, transport.ProtocolWitness, "/tamga/oversize/1"} {
		_, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), id, []byte(secret))
		if !errors.Is(err, transport.ErrInterrupted) {
			t.Errorf("%s: Exchange = %v, want ErrInterrupted", id, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the payload: %v", id, err)
		}
	}
	ask(t, a, b, nil, "still serving")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	lines := log.String()
	if strings.Contains(lines, secret) {
		t.Errorf("log holds the payload:\n%s", lines)
	}
	if !strings.Contains(lines, "handler panicked") || !strings.Contains(lines, "hostile_test.go") && !strings.Contains(lines, "TestHandlerFaults") {
		t.Errorf("log does not say where the handler panicked:\n%s", lines)
	}
}

func TestOverload(t *testing.T) {
	for _, frame := range []string{"", "busy"} {
		t.Run("frame-"+frame, func(t *testing.T) {
			m := membership(t, "a", "b")
			release, arrived := make(chan struct{}), make(chan struct{}, 1)
			hold := func(_ context.Context, _ transport.PeerID, f []byte) ([]byte, error) {
				arrived <- struct{}{}
				<-release
				return f, nil
			}
			b := start(t, "b", m, map[string]transport.Handler{transport.ProtocolQuery: hold},
				func(c *transport.Config) {
					c.MaxHandlersPeer, c.MaxWait = 1, 50*time.Millisecond
					if frame != "" {
						c.Overloaded = func(time.Duration) []byte { return []byte(frame) }
					}
				})
			a := start(t, "a", m, nil, nil)
			var wg sync.WaitGroup
			wg.Go(func() { ask(t, a, b, b.Addresses(), "first") })
			<-arrived
			got, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("second"))
			if frame == "" && !errors.Is(err, transport.ErrOverloaded) || frame != "" && string(got) != frame {
				t.Errorf("Exchange = %q, %v", got, err)
			}
			if n := b.Refusals()["load"]; n != 1 {
				t.Errorf("%d refusals for load, want 1", n)
			}
			close(release)
			wg.Wait()
			ask(t, a, b, nil, "third")
		})
	}
}

// TestRefusedStreamIsLeftUnread: whoever sends on as if nothing had been said gets one refusal in the time that it was
// told to stay away, and whoever heeds it is served.
func TestRefusedStreamIsLeftUnread(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		_, good, conn := pair(t, kind, func(c *transport.Config) {
			c.MaxRate, c.Overloaded = 2, func(after time.Duration) []byte { return []byte(after.String()) }
		})
		s, err := conn.NewStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := multistream.SelectProtoOrFail(protocol.ID(transport.ProtocolQuery), s); err != nil {
			t.Fatal(err)
		}
		const frames = 5
		for range frames {
			if _, err := s.Write(transport.AppendFrame(nil, []byte("x"))); err != nil {
				t.Fatal(err)
			}
		}
		refused := 0
		for range frames {
			began := time.Now()
			got, err := transport.ReadFrame(s, 100)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) == "x" {
				continue
			}
			refused++
			after, err := time.ParseDuration(string(got))
			if err != nil {
				t.Fatalf("reply %q", got)
			}
			if after > 3*time.Second || time.Since(began) > 5*time.Second {
				t.Errorf("told to stay away for %v at 2 frames a second", after)
			}
		}
		if n := good.Refusals()["rate"]; refused == 0 || n != uint64(refused) {
			t.Errorf("%d refusals counted, %d heard", n, refused)
		}
		if refused > frames-2 {
			t.Errorf("%d of %d refused, though each refusal pauses the stream", refused, frames)
		}
	})
}

func TestStreamFloodIsBounded(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		const limit = 16
		_, good, conn := pair(t, kind, func(c *transport.Config) { c.MaxStreamsPeer = limit })
		other := start(t, "other", membership(t, "good"), nil, nil)
		opened := make([]network.Stream, 0, 120)
		for range cap(opened) {
			s, err := conn.NewStream(t.Context())
			if err != nil {
				break
			}
			opened = append(opened, s)
			if _, err := s.Write([]byte{0x13}); err != nil {
				continue
			}
			if n := transport.ServedStreams(good); n > limit {
				t.Fatalf("%d streams of one peer are served, limit %d", n, limit)
			}
		}
		if len(opened) < limit {
			t.Fatalf("only %d streams opened", len(opened))
		}
		ask(t, other, good, only(good, kind), "another member is served")
		for _, s := range opened {
			_ = s.Reset()
		}
	})
}

// rawServer answers every request on a stream as reply says.
func rawServer(t *testing.T, m *members, reply func(network.Stream)) *transport.Raw {
	t.Helper()
	mux := multistream.NewMultistreamMuxer[protocol.ID]()
	mux.AddHandler(protocol.ID(transport.ProtocolQuery), nil)
	cfg := transport.Config{Seed: seed("raw"), Listen: []string{listenQUIC, listenTCP}, Admit: m.admit}
	r, err := transport.NewRaw(cfg, func(s network.Stream) {
		if _, _, err := mux.Negotiate(s); err != nil {
			_ = s.Reset()
			return
		}
		reply(s)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestHostileServers(t *testing.T) {
	request := make([]byte, 4+5)
	for _, row := range []struct {
		name  string
		reply func(network.Stream)
		want  error
	}{
		{"oversize", func(s network.Stream) { _, _ = s.Write([]byte{0xff, 0, 0, 0}) }, transport.ErrTooLarge},
		{"zero", func(s network.Stream) { _, _ = s.Write(make([]byte, 4)) }, transport.ErrMalformed},
		{"cut-short", func(s network.Stream) { _, _ = s.Write([]byte{0, 0, 0, 2, 'x'}); _ = s.CloseWrite() }, transport.ErrMalformed},
		{"close", func(s network.Stream) { _ = s.CloseWrite() }, transport.ErrInterrupted},
		{"reset", func(s network.Stream) { _ = s.Reset() }, transport.ErrInterrupted},
		{"silent", func(network.Stream) {}, transport.ErrTimeout},
		{"hang-up", func(s network.Stream) { _ = s.Conn().Close() }, transport.ErrInterrupted},
	} {
		t.Run(row.name, func(t *testing.T) {
			transports(t, func(t *testing.T, kind string) {
				m := membership(t, "a", "raw")
				asked := make(chan struct{}, 8)
				raw := rawServer(t, m, func(s network.Stream) {
					buf := make([]byte, len(request))
					if _, err := io.ReadFull(s, buf); err == nil {
						asked <- struct{}{}
						row.reply(s)
					}
				})
				a := start(t, "a", m, nil, nil)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				if row.want != transport.ErrTimeout {
					ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
				}
				defer cancel()
				_, err := a.Exchange(ctx, peerID(t, "raw"), rawAddrs(raw, kind), transport.ProtocolQuery, []byte("hello"))
				if !errors.Is(err, row.want) {
					t.Fatalf("Exchange = %v, want %v", err, row.want)
				}
				if len(asked) != 1 {
					t.Fatalf("request was sent %d times, want once", len(asked))
				}
			})
		})
	}
}

func rawAddrs(r *transport.Raw, kind string) []string {
	var out []string
	for _, a := range r.ListenAddresses() {
		if strings.Contains(a.String(), "/"+kind) || kind == "tcp" && strings.Contains(a.String(), "/tcp/") {
			out = append(out, a.String())
		}
	}
	return out
}

// A responder may close the stream after its one reply; the next request must not be written into the void.
func TestOneReplyPerStreamResponder(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "raw")
		answered, closed := make(chan struct{}), make(chan struct{})
		raw := rawServer(t, m, func(s network.Stream) {
			buf := make([]byte, 4+5)
			if _, err := io.ReadFull(s, buf); err == nil {
				_, _ = s.Write(buf)
			}
			<-answered // the end of the stream comes apart from the reply
			_ = s.CloseWrite()
			closed <- struct{}{}
		})
		a := start(t, "a", m, nil, nil)
		for range 5 {
			got, err := a.Exchange(t.Context(), peerID(t, "raw"), rawAddrs(raw, kind), transport.ProtocolQuery, []byte("hello"))
			if err != nil || !bytes.Equal(got, []byte("hello")) {
				t.Fatalf("Exchange = %q, %v", got, err)
			}
			answered <- struct{}{}
			<-closed
			eventually(t, "end of the stream heard", func() bool { return transport.OpenStreams(a, peerID(t, "raw")) == 0 })
		}
	})
}

// A reply that nobody asked for must not be taken for the next one.
func TestUnsolicitedReply(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "raw")
		answered, strayed := make(chan struct{}), make(chan struct{})
		raw := rawServer(t, m, func(s network.Stream) {
			buf := make([]byte, 4+5)
			if _, err := io.ReadFull(s, buf); err == nil {
				_, _ = s.Write(buf)
			}
			<-answered
			_, _ = s.Write(transport.AppendFrame(nil, []byte("stray")))
			strayed <- struct{}{}
		})
		a := start(t, "a", m, nil, nil)
		for i := range 20 {
			want := fmt.Sprintf("no %02d", i)
			got, err := a.Exchange(t.Context(), peerID(t, "raw"), rawAddrs(raw, kind), transport.ProtocolQuery, []byte(want))
			if err != nil || string(got) != want {
				t.Fatalf("Exchange = %q, %v, want %q", got, err, want)
			}
			answered <- struct{}{}
			<-strayed
			eventually(t, "stray reply heard", func() bool { return transport.OpenStreams(a, peerID(t, "raw")) == 0 })
		}
	})
}

// A request that crosses the peer's giving the stream up is repeated when the peer's count of replies shows that the
// request was the thing lost, and never when it was the reply.
func TestGivenUpStream(t *testing.T) {
	for _, row := range []struct {
		name    string
		code    network.StreamErrorCode
		want    error
		handled int
	}{
		{"request-lost", transport.CodeGivenUp + 1, nil, 2},
		{"reply-lost", transport.CodeGivenUp + 2, transport.ErrInterrupted, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			transports(t, func(t *testing.T, kind string) {
				m := membership(t, "a", "raw")
				handled := make(chan struct{}, 8)
				raw := rawServer(t, m, func(s network.Stream) {
					buf := make([]byte, 4+5)
					if _, err := io.ReadFull(s, buf); err == nil {
						handled <- struct{}{}
						_, _ = s.Write(buf)
					}
					if _, err := io.ReadFull(s, buf); err == nil {
						_ = s.ResetWithError(row.code)
					}
				})
				a := start(t, "a", m, nil, nil)
				exchange := func() error {
					_, err := a.Exchange(t.Context(), peerID(t, "raw"), rawAddrs(raw, kind), transport.ProtocolQuery, []byte("hello"))
					return err
				}
				if err := exchange(); err != nil {
					t.Fatal(err)
				}
				if err := exchange(); !errors.Is(err, row.want) {
					t.Fatalf("Exchange = %v, want %v", err, row.want)
				}
				if len(handled) != row.handled {
					t.Fatalf("%d requests handled, want %d", len(handled), row.handled)
				}
			})
		})
	}
}
