package door

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// TCPDelay is the head start of QUIC over TCP when dialling: long enough for a QUIC handshake within a continent, so
// that TCP is used only where UDP is blocked.
const TCPDelay = 250 * time.Millisecond

// acceptTimeout is how long an accepted TCP connection has to prove who it is: three round trips, which two satellites
// in a row make in time. QUIC's own limit is 5 s of silence.
const acceptTimeout = 3 * time.Second

// maxStreamWindow is how far a yamux receive window may grow: four of the largest frames. A peer that never reads can
// make us hold no more than that for a stream.
const maxStreamWindow = 4 * maxFrame

// maxFrame is the largest payload of a frame on the wire, in bytes.
const maxFrame = 256 << 10

// TLS is TLS 1.3 in multistream-select and in the state of connections (libp2p specs, tls/tls.md).
const TLS = libp2ptls.ID

// newSwarm builds the libp2p network with QUIC and TCP+TLS or Noise+yamux and nothing else. closers are to be called in
// order after the swarm is closed; they are also returned with an error.
func newSwarm(cfg Config, key crypto.PrivKey, g gate, limits *limits) (_ *swarm.Swarm, closers []io.Closer, _ error) {
	closers = []io.Closer{limits}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, closers, fmt.Errorf("deriving peer id: %v", err)
	}
	book, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, closers, fmt.Errorf("creating peer store: %v", err)
	}
	closers = append([]io.Closer{book}, closers...)
	if err := errors.Join(book.AddPrivKey(id, key), book.AddPubKey(id, key.GetPublic())); err != nil {
		return nil, closers, fmt.Errorf("storing identity: %v", err)
	}
	reuse, err := newQUIC(cfg.Seed, limits)
	if err != nil {
		return nil, closers, err
	}
	closers = append([]io.Closer{reuse}, closers...)
	sw, err := swarm.NewSwarm(id, book, eventbus.NewBus(), swarm.WithConnectionGater(g),
		swarm.WithResourceManager(limits), swarm.WithDialRanker(rankAddrs),
		swarm.WithDialTimeout(cfg.DialTimeout), swarm.WithDialTimeoutLocal(cfg.DialTimeout),
		// A black-hole detector would refuse addresses for the failures of others.
		swarm.WithUDPBlackHoleSuccessCounter(nil), swarm.WithIPv6BlackHoleSuccessCounter(nil))
	if err != nil {
		return nil, closers, fmt.Errorf("creating swarm: %v", err)
	}
	if err := addTransports(cfg, sw, key, reuse, g, limits); err != nil {
		_ = sw.Close()
		return nil, closers, err
	}
	return sw, closers, nil
}

func addTransports(cfg Config, sw *swarm.Swarm, key crypto.PrivKey, reuse *quicreuse.ConnManager, g gate, limits network.ResourceManager) error {
	overQUIC, err := libp2pquic.NewTransport(key, reuse, nil, g, limits)
	if err != nil {
		return fmt.Errorf("creating QUIC transport: %v", err)
	}
	mux := *yamux.DefaultTransport
	mux.MaxIncomingStreams = uint32(cfg.MaxStreamsPeer)
	mux.MaxStreamWindowSize = maxStreamWindow
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: &mux}}
	security, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return fmt.Errorf("creating Noise transport: %v", err)
	}
	overTLS, err := libp2ptls.New(TLS, key, muxers)
	if err != nil {
		return fmt.Errorf("creating TLS transport: %v", err)
	}
	// In order of preference: TLS has the hybrid key exchange.
	secure := []sec.SecureTransport{watched{overTLS, g.curves}, security}
	if cfg.NoiseOnly {
		secure = secure[1:]
	}
	up, err := upgrader.New(secure, muxers, nil, limits, g, upgrader.WithAcceptTimeout(min(cfg.DialTimeout, acceptTimeout)))
	if err != nil {
		return fmt.Errorf("creating upgrader: %v", err)
	}
	// Without port reuse a new dial cannot collide with an old connection of the same port pair.
	overTCP, err := tcp.NewTCPTransport(up, limits, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(cfg.DialTimeout))
	if err != nil {
		return fmt.Errorf("creating TCP transport: %v", err)
	}
	if err := errors.Join(sw.AddTransport(overQUIC), sw.AddTransport(overTCP)); err != nil {
		return fmt.Errorf("adding transports: %v", err)
	}
	return nil
}

// newQUIC makes the holder of UDP sockets. The stateless reset key comes from the identity, so that a restarted node
// can tell its peers at once that their old connections are gone (RFC 9000 section 10.3).
func newQUIC(seed []byte, limits network.ResourceManager) (*quicreuse.ConnManager, error) {
	reset, err := hkdf.Key(sha256.New, seed, nil, "tamga/v1/quic-stateless-reset", len(quic.StatelessResetKey{}))
	if err != nil {
		return nil, fmt.Errorf("deriving QUIC keys: %v", err)
	}
	token, err := hkdf.Key(sha256.New, seed, nil, "tamga/v1/quic-address-token", len(quic.TokenGeneratorKey{}))
	if err != nil {
		return nil, fmt.Errorf("deriving QUIC keys: %v", err)
	}
	reuse, err := quicreuse.NewConnManager(quic.StatelessResetKey(reset), quic.TokenGeneratorKey(token),
		quicreuse.ConnContext(func(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
			return scopeConn(ctx, info, limits)
		}),
		quicreuse.VerifySourceAddress(limits.VerifySourceAddress))
	if err != nil {
		return nil, fmt.Errorf("creating QUIC sockets: %v", err)
	}
	return reuse, nil
}

// scopeConn counts a QUIC connection from its first packet, before the handshake costs anything.
func scopeConn(ctx context.Context, info *quic.ClientInfo, limits network.ResourceManager) (context.Context, error) {
	addr, err := quicreuse.ToQuicMultiaddr(info.RemoteAddr, quic.Version1)
	if err != nil {
		addr = nil // the resource manager decides about unknown addresses too
	}
	scope, err := limits.OpenConnection(network.DirInbound, false, addr)
	if err != nil {
		return ctx, err
	}
	ctx = network.WithConnManagementScope(ctx, scope)
	context.AfterFunc(ctx, scope.Done)
	return ctx, nil
}

// rankAddrs dials QUIC addresses at once and TCP ones after TCPDelay.
func rankAddrs(addrs []ma.Multiaddr) []network.AddrDelay {
	var fast, slow []network.AddrDelay
	for _, a := range addrs {
		if IsQUIC(a) {
			fast = append(fast, network.AddrDelay{Addr: a})
		} else {
			slow = append(slow, network.AddrDelay{Addr: a, Delay: TCPDelay})
		}
	}
	if len(fast) == 0 {
		for i := range slow {
			slow[i].Delay = 0
		}
	}
	return append(fast, slow...)
}
