package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/tamga-id/tamga/federation/transport/internal/door"
	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
)

// MaxFrame is the largest payload of a frame on the wire, in bytes. Config.MaxFrame may only lower it.
const MaxFrame = 256 << 10

// Handler answers one frame. The frame belongs to the handler; the reply belongs to the transport once returned and
// must have 1 to MaxFrame bytes. ctx ends at Config.HandlerTimeout or when the host closes. An error, an empty or an
// oversize reply, or a panic resets the stream: the peer learns only that there was no reply. Handlers run
// concurrently; one that waits for longer than it works calls Yield.
type Handler func(ctx context.Context, from PeerID, frame []byte) ([]byte, error)

// Config says who a host is, where it listens, whom it talks to, and its limits. Zero limits mean the defaults named
// on each line, which suit a node of a few dozen peers in 256 MiB.
type Config struct {
	// Seed is the 32-byte Ed25519 seed of the node's libp2p identity. Required; secret; copied by New.
	Seed []byte
	// Listen holds multiaddrs such as /ip4/0.0.0.0/udp/4001/quic-v1 and /ip4/0.0.0.0/tcp/4001; port 0 means any.
	// Every one must succeed. Empty: the host dials and never listens.
	Listen []string
	// Admit says whether a current trust chain names the peer. Required. Asked at every handshake, stream and frame,
	// so it must be fast, must not block and must be safe for concurrent use.
	Admit func(PeerID) bool
	// Unknown says whether a peer that Admit refuses may be a member all the same, because the host could not find out
	// who is one. Such a peer may bring its Trust Chain: it is let in for 5 s and four frames of ProtocolQuery, few of them
	// at once, and none from whom too many come. Nil: none is. As Admit, it must be fast and safe for concurrent use.
	Unknown func(PeerID) bool
	// Share names with whom the peer shares what one peer may have: handlers, rate, bytes, and twice the streams and
	// MaxConns/4 of the connections. Nodes of one country have one share, or a country with many would have many.
	// Empty, or nil: nobody. As Admit, it must be fast and safe for concurrent use.
	Share func(PeerID) string
	// Hybrid says whether the peer has announced HybridKeyExchange: a connection with it that agreed on less is refused.
	// Nil: none has. As Admit, it must be fast and safe for concurrent use.
	Hybrid func(PeerID) bool
	// Also returns the other peer IDs of the same peer while it replaces its key: whoever does not answer under one is
	// tried under the others. Nil: none has. As Admit, it must be fast and safe for concurrent use.
	Also func(PeerID) []PeerID
	// Logger receives events. Nil: none.
	Logger *slog.Logger

	// MaxFrame is the largest payload sent or accepted, in bytes. Default and ceiling: MaxFrame.
	MaxFrame int
	// Overloaded makes the reply to a frame that is beyond its peer's share or budget; after is when the peer may come
	// again. Nil: the stream is reset and the peer's Exchange fails with ErrOverloaded.
	Overloaded func(after time.Duration) []byte

	// DialTimeout bounds one connection attempt to one address and the opening of one stream. Default 5 s.
	DialTimeout time.Duration
	// ExchangeTimeout bounds an Exchange whose context has no deadline. Default 30 s.
	ExchangeTimeout time.Duration
	// IdleTimeout is how long a peer may keep a stream open between two frames; our own idle streams are given up at
	// half of it, so that both ends agree. Default 60 s.
	IdleTimeout time.Duration
	// FrameTimeout is how long a frame may take from its first byte to its last, and a stream to say its protocol: a
	// longer time lets a peer hold a goroutine with one byte. Default 5 s.
	FrameTimeout time.Duration
	// WriteTimeout is how long a peer may leave a reply unread when its window is full. Default 10 s.
	WriteTimeout time.Duration
	// HandlerTimeout is the deadline of a handler's context. Default 20 s.
	HandlerTimeout time.Duration
	// DrainTimeout is how long Close waits for exchanges in flight. Default 5 s.
	DrainTimeout time.Duration

	// MaxHandlers and MaxHandlersPeer bound handlers running at once, in all and for one peer; they are shared as
	// package fairqueue says, and each peer may have one beyond MaxHandlers. Default 8 for each processor and three
	// quarters of that: enough to have one at work while the others wait for a disk. With more, all that a frame passes
	// through waits behind them for a processor, several times over, and a slot of its own helps a peer little.
	MaxHandlers, MaxHandlersPeer int
	// MaxWait is how long a frame waits for a handler. Default 2 s.
	MaxWait time.Duration
	// MaxRate and MaxBytes are what one peer may ask in a second: frames, and bytes of frames. A peer that asks more
	// is answered with Overloaded, and what it sends next on that stream is not read before it may come again.
	// Default 2,000 frames and 16 MiB. While goroutines wait for a processor and several peers ask, each may ask fewer
	// frames, fairqueue.Least in a second at the lowest.
	MaxRate, MaxBytes int
	// MaxMemory bounds, in bytes, what libp2p keeps for all peers; a quarter is for addresses named to Favour, and one
	// peer has three sixteenths. Default 128 MiB; a stream over TCP reserves 256 KiB of it.
	MaxMemory int
	// MaxStreamsPeer bounds streams opened by one peer; half as many are the most exchanges we run with one peer at
	// once, the rest wait. Default 64; at least 8, at most 256 (the QUIC stream limit).
	MaxStreamsPeer int
	// MaxConns bounds connections in each direction; at most half of the inbound ones may be without a proven peer.
	// As many again are kept for addresses named to Favour when these are taken. Default 128.
	MaxConns int

	noiseOnly bool          // no TLS over TCP, as peers of other makers in tests
	guestLife time.Duration // see [door.Config]
}

// LogValue lists the safe fields; the seed is never among them.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("listen", c.Listen), slog.Int("max_frame", c.MaxFrame),
		slog.Int("max_handlers", c.MaxHandlers), slog.Int("max_streams_peer", c.MaxStreamsPeer))
}

// Format keeps the seed out of every fmt verb.
func (c Config) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "transport config(listen %q)", c.Listen)
}

// withDefaults fills zero fields and reports every fault found, not only the first.
func (c Config) withDefaults() (Config, []ma.Multiaddr, error) {
	var faults []error
	size := func(name string, v *int, def, low, high int) {
		if *v == 0 {
			*v = def
		}
		if *v < low || *v > high {
			faults = append(faults, fmt.Errorf("%s %d is not in %d..%d", name, *v, low, high))
		}
	}
	span := func(name string, v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
		if *v < 0 {
			faults = append(faults, fmt.Errorf("%s is negative", name))
		}
	}
	size("MaxFrame", &c.MaxFrame, MaxFrame, 1, MaxFrame)
	size("MaxHandlers", &c.MaxHandlers, 8*runtime.GOMAXPROCS(0), 1, 1<<16)
	size("MaxHandlersPeer", &c.MaxHandlersPeer, max(1, c.MaxHandlers*3/4), 1, 1<<16)
	size("MaxStreamsPeer", &c.MaxStreamsPeer, 64, 8, 256)
	size("MaxRate", &c.MaxRate, 2000, 1, 1<<24)
	size("MaxBytes", &c.MaxBytes, 16<<20, 1<<10, 1<<32)
	size("MaxMemory", &c.MaxMemory, 128<<20, 16<<20, 1<<40)
	size("MaxConns", &c.MaxConns, 128, 1, 1<<14)
	span("DialTimeout", &c.DialTimeout, 5*time.Second)
	span("ExchangeTimeout", &c.ExchangeTimeout, 30*time.Second)
	span("IdleTimeout", &c.IdleTimeout, 60*time.Second)
	span("FrameTimeout", &c.FrameTimeout, 5*time.Second)
	span("WriteTimeout", &c.WriteTimeout, 10*time.Second)
	span("HandlerTimeout", &c.HandlerTimeout, 20*time.Second)
	span("DrainTimeout", &c.DrainTimeout, 5*time.Second)
	span("MaxWait", &c.MaxWait, 2*time.Second)
	if c.Admit == nil {
		faults = append(faults, errors.New("no Admit function"))
	}
	if c.Hybrid == nil {
		c.Hybrid = func(PeerID) bool { return false }
	}
	if c.Share == nil {
		c.Share = func(PeerID) string { return "" }
	}
	if c.Also == nil {
		c.Also = func(PeerID) []PeerID { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	}
	listen := make([]ma.Multiaddr, 0, len(c.Listen))
	for _, s := range c.Listen {
		a, err := parseAddr(s)
		if err != nil {
			faults = append(faults, fmt.Errorf("listen address %q: %w", s, err))
			continue
		}
		listen = append(listen, a)
	}
	if len(faults) > 0 {
		return Config{}, nil, fmt.Errorf("checking transport configuration: %w", errors.Join(faults...))
	}
	return c, listen, nil
}

// door is the part that says who comes in.
func (c Config) door(refused *refusal.Counts) door.Config {
	d := door.Config{Seed: c.Seed, Log: c.Logger, Refused: refused, DialTimeout: c.DialTimeout, MaxConns: c.MaxConns,
		MaxStreamsPeer: c.MaxStreamsPeer, MaxMemory: c.MaxMemory, GuestLife: c.guestLife, NoiseOnly: c.noiseOnly}
	d.Admit = func(name string) bool { return c.Admit(PeerID(name)) }
	d.Hybrid = func(name string) bool { return c.Hybrid(PeerID(name)) }
	d.Share = func(name string) string { return c.Share(PeerID(name)) }
	if c.Unknown != nil {
		d.Unknown = func(name string) bool { return c.Unknown(PeerID(name)) }
	}
	return d
}
