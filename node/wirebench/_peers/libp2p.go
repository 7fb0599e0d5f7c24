package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

const protocolBench = "/tamga/bench/bare/1"

// newHost is a host with both transports, without limits: what it refuses is not measured here.
func newHost(listen ...string) (host.Host, error) {
	opts := []libp2p.Option{libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(),
		libp2p.Transport(quic.NewTransport), libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport)}
	if len(listen) == 0 {
		return libp2p.New(append(opts, libp2p.NoListenAddrs)...)
	}
	return libp2p.New(append(opts, libp2p.ListenAddrStrings(listen...))...)
}

// serveLibp2p answers on every stream as often as it is asked: the bytes and nothing around them.
func serveLibp2p(overQUIC bool) func(spec, identity) (offer, error) {
	return func(s spec, _ identity) (offer, error) {
		listen := "/ip4/127.0.0.1/tcp/0"
		name := "libp2p TCP+Noise streams "
		if overQUIC {
			listen, name = "/ip4/127.0.0.1/udp/0/quic-v1", "libp2p QUIC streams "
		}
		h, err := newHost(listen)
		if err != nil {
			return offer{}, err
		}
		h.SetStreamHandler(protocolBench, func(st network.Stream) {
			defer func() { _ = st.Reset() }()
			request, reply := make([]byte, s.Request), make([]byte, s.Reply)
			for {
				if _, err := io.ReadFull(st, request); err != nil {
					return
				}
				if _, err := st.Write(reply); err != nil {
					return
				}
			}
		})
		o := offer{Version: name + version("github.com/libp2p/go-libp2p")}
		for _, a := range h.Addrs() {
			o.Addresses = append(o.Addresses, a.String()+"/p2p/"+h.ID().String())
		}
		if len(o.Addresses) == 0 {
			return o, errors.New("libp2p listens nowhere")
		}
		return o, nil
	}
}

// connectLibp2p keeps streams for the next exchange, as many as are in use at once.
func connectLibp2p(ctx context.Context, s spec, _ identity, to offer) (exchange, error) {
	h, err := newHost()
	if err != nil {
		return nil, err
	}
	a, err := ma.NewMultiaddr(to.Addresses[0])
	if err != nil {
		return nil, err
	}
	info, err := peer.AddrInfoFromP2pAddr(a)
	if err != nil {
		return nil, err
	}
	if err := h.Connect(ctx, *info); err != nil {
		return nil, err
	}
	p := pool[*lane]{open: func(ctx context.Context) (*lane, error) {
		st, err := h.NewStream(ctx, info.ID, protocolBench)
		return &lane{st, make([]byte, s.Request), make([]byte, s.Reply)}, err
	}}
	return func(ctx context.Context) error {
		return p.with(ctx, func(l *lane) error {
			if _, err := l.Write(l.request); err != nil {
				return err
			}
			_, err := io.ReadFull(l.Stream, l.reply)
			return err
		})
	}, nil
}

type lane struct {
	network.Stream
	request, reply []byte
}

// pool keeps what is free for the next that asks.
type pool[T any] struct {
	open func(context.Context) (T, error)

	mu   sync.Mutex // guards free
	free []T
}

func (p *pool[T]) with(ctx context.Context, f func(T) error) error {
	p.mu.Lock()
	var one T
	n := len(p.free)
	if n > 0 {
		one, p.free = p.free[n-1], p.free[:n-1]
	}
	p.mu.Unlock()
	if n == 0 {
		var err error
		if one, err = p.open(ctx); err != nil {
			return err
		}
	}
	if err := f(one); err != nil {
		return err
	}
	p.mu.Lock()
	p.free = append(p.free, one)
	p.mu.Unlock()
	return nil
}
