// Package node is one country's running node: it joins trust, law, ledger,
// gallery, matcher and transport, and holds nothing of its own but the wiring.
//
// Package node/founding makes a node's folder. Open reads it back and starts
// listening; Run serves until its context ends; Close releases everything. The
// command tamga and the demo use the same three calls.
//
// Layout of the folder:
//
//	tamga.yaml                configuration
//	law.cedar                 the country's law
//	root.json                 root key under its protectors (crypto/custody)
//	root.json.attempts        count of wrong passphrases, while there are any
//	unseal-key, unseal-share-*.age   a half unsealed node's, until it opens (node/unseal)
//	keystore.json             every other secret, under the root key
//	api-token                 bearer token of officers' systems on this machine: may ask
//	enrol-token               bearer token of the operator: may enrol
//	trust-anchor.json         the Trust Anchor's public keys and location
//	entity-configuration.jwt  hand this to the Trust Anchor
//	historical-keys.jwt       the federation keys that were retired, public, once there are any
//	data/                     gallery, ledgers, trust cache; recovery.json while in recovery
//	data/escrow.json          of which keys the escrow of backup.escrow_file was made
//	../ENTITY.checkpoint      how far the ledger was, outside the folder (recovery.checkpoint_file)
//	../ENTITY.checkpoint-erasures, -gallery  who was erased, and how far the gallery was, likewise
//	../ENTITY.checkpoint-withdrawals         which consents were withdrawn, likewise
//	../ENTITY.checkpoint-canaries            which rows are of canaries, likewise
//	../ENTITY.checkpoint-keys  which generations of the keys were used last, likewise
//
// Not here: the keys (node/keystore) and the steps by which they are replaced
// (node/rotation), the law (node/lawbook/inforce), what the node says about itself
// (node/entity) and where it listens (node/addresses), what goes over the wire (federation/protocol), HTTP (node/api), and
// any decision about a person (node/responder).
package node
