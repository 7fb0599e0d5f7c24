// Package transport carries frames between nodes over libp2p: Ed25519 peer IDs, QUIC v1 first, TCP with TLS or Noise and
// yamux second, and a membership gate that refuses every peer no trust chain names. It implements the wire part of
// section 5 of the design: the protocol IDs /tamga/{query,trust,ledger,witness}/1 over multistream-select 1.0.
//
// Start with [New], which listens and serves; ask a peer with [Host.Exchange]; stop with [Host.Close]. After a change
// of membership call [Host.Recheck] and [Host.Favour].
//
// # Wire
//
//	stream   = multistream-select header for the protocol ID, then *( request reply )
//	request  = frame
//	reply    = frame
//	frame    = length payload      ; length: 4 bytes, big endian, 1 .. 262144
//
// A stream carries one exchange at a time and may be reused for the next. A stream is reset with one of these codes
// (libp2p stream error codes; a peer that sends none is still understood):
//
//	0x1002  resource limit: too many streams                  nothing was handled
//	0x1003  rate limit: too many exchanges in hand            nothing was handled
//	0x1007  shutdown: the host is draining                    nothing was handled
//	0x1008  gated: the peer is no longer a member             nothing was handled
//	0x74b0 + n mod 16  given up between frames, idle or draining, after n replies: a request after those was not handled
//	0x74a1  the frame was longer than the receiver allows     nothing was handled
//	0x74a2  the frame had no length, or came too slowly       nothing was handled
//	0x74a3  the handler failed                                it may have been handled
//
// A frame beyond its peer's share of the handlers, or its budget of frames and bytes in a second, is answered with
// Config.Overloaded (peers that Config.Share names together have one share), and the stream is left unread for as long as that asks for (package fairqueue). [Host.Refusals]
// counts every refusal by one of a closed set of causes.
//
// Between nodes that both announce it, a connection agrees on its keys with X25519MLKEM768 or is refused
// (Config.Hybrid); [Host.Links] tells what was agreed on.
//
// # What it does not do
//
// No DHT, mDNS, relay, hole punching, NAT mapping, AutoNAT, ping or identify: peers and addresses come from trust
// metadata alone, so the host is built from the libp2p swarm and not with libp2p.New, which always runs identify and
// AutoNAT. It does not sign, encrypt for, or interpret payloads; it does not know what a query is; it never repeats a
// request that a peer may have handled unless told that repeating is harmless ([Host.ExchangeIdempotent]).
//
// # What is where
//
// This package asks, answers, listens and drains. Who comes in is decided in internal/door, what is written in
// internal/wire, the time that a peer's stream may take in internal/inbound, what is kept of a peer that is asked in
// internal/pool, and whose turn it is for a handler in fairqueue.
//
// # Invariants
//
//   - A peer that Config.Admit does not name never gets a stream: it is refused when the handshake has told who it is.
//   - Strangers' handshakes take at most half of the inbound connections, over TCP at most a quarter; members at
//     addresses named to [Host.Favour] have room of their own, and our own dials need none of it.
//   - Admit is asked again for every stream and every frame, in both directions.
//   - Every wait has a deadline and every length a bound: memory, streams, connections and handlers per peer too.
//   - A frame is answered at most once; a request is written at most once, except as above.
//   - Logs and errors hold peer IDs, addresses, protocol IDs, sizes and durations; never a byte of a payload.
package transport
