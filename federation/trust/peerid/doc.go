// Package peerid reads libp2p peer IDs of Ed25519 keys, and proves that an Entity has the private key behind one.
//
// It implements TMG-E-014 of PROTOCOL.md on the peer ID format of the libp2p specification (libp2p/specs,
// peer-ids/peer-ids.md): base58btc of the identity multihash of the key in protobuf. [Prove] is for who has the keys,
// [Proofs.Verify] for everybody else.
//
// What it does not do: other key types, hashed keys and the CID text form are refused, so that one key has one peer ID; and
// it knows no libp2p, whose host is package transport's.
//
// Invariants:
//   - a peer ID that [Parse] accepts is the only text of its key, and the key is one under which no signature fits
//     every message;
//   - a proof holds for one Entity and one federation key: neither another Entity, nor whoever is vouched for under
//     the same identifier with another key, can use it.
package peerid
