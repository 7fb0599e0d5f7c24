// A Tamga requester that shares no code with the Go nodes: js-libp2p over TCP, Noise and
// Yamux, and PROTOCOL.md with the documents that it cites. Section and requirement numbers
// below are those of PROTOCOL.md.
//
//	node client.mjs init DIR ENTITY COUNTRY ANCHOR-ENTITY     makes keys and an Entity Configuration
//	node client.mjs ask DIR TRUST-ANCHOR.JSON RESPONDER COUNTRY:TYPE:VALUE PROBE.emb [FAULT]
//
// ask prints one JSON object. FAULT makes the Query wrong: seal (another recipient), sign (a
// byte of the signature), replay (the frame is sent twice).

import { createHash, createPublicKey, createPrivateKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CipherSuite, HkdfSha256, Aes256Gcm } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { encode, decode, rfc8949EncodeOptions } from 'cborg'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'

const b64 = (b) => Buffer.from(b).toString('base64url')
const unb64 = (s) => Buffer.from(s, 'base64url')
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest()
const now = () => Math.floor(Date.now() / 1000)
const check = (ok, rule) => { if (!ok) throw new Error(rule) }
const cbor = (v) => encode(v, rfc8949EncodeOptions)
const ints = { useMaps: true, strict: true, rejectDuplicateMapKeys: true }

// --- JWS and JWK (RFC 7515, 8037, 9864) ---

const thumbprint = (jwk) => b64(sha256(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x })))

function newKey () {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { ...jwk, kid: thumbprint(jwk) }
}

const publicJWK = (k) => ({ kty: k.kty, crv: k.crv, x: k.x, kid: k.kid })

function jws (key, typ, claims) {
  const input = b64(JSON.stringify({ alg: 'Ed25519', kid: key.kid, typ })) + '.' + b64(JSON.stringify(claims))
  return input + '.' + b64(sign(null, Buffer.from(input), createPrivateKey({ key, format: 'jwk' })))
}

function open (token, typ, keys, rule) {
  const [head, payload, signature, more] = token.split('.')
  check(more === undefined && signature !== undefined, rule)
  const h = JSON.parse(unb64(head))
  check(h.typ === typ && (h.alg === 'Ed25519' || h.alg === 'EdDSA') && h.crit === undefined, rule)
  const jwk = keys.find((k) => k.kid === h.kid && k.kty === 'OKP' && k.crv === 'Ed25519')
  check(jwk !== undefined && thumbprint(jwk) === h.kid, rule)
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: jwk.x }, format: 'jwk' })
  check(verify(null, Buffer.from(head + '.' + payload), key, unb64(signature)), rule)
  return JSON.parse(unb64(payload))
}

// --- HPKE with X-Wing (TMG-Q-009) ---

const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })

async function seal (pub, info, aad, plain) {
  const s = await suite.createSenderContext({ recipientPublicKey: await suite.kem.deserializePublicKey(pub), info: Buffer.from(info) })
  const sealed = await s.seal(plain, aad)
  return Buffer.concat([Buffer.from(s.enc), Buffer.from(sealed)])
}

const encSize = 1120

async function unseal (privateKey, info, aad, sealed) {
  const enc = sealed.subarray(0, encSize)
  const r = await suite.createRecipientContext({ recipientKey: privateKey, enc, info: Buffer.from(info) })
  return Buffer.from(await r.open(sealed.subarray(encSize), aad))
}

// --- section 1: who is a member ---

// resolve verifies the Trust Chain of an Entity from the Trust Anchor's bundle (TMG-E-010),
// under the keys that came from out of band, and returns its tamga_node metadata.
async function resolve (anchor, entity) {
  const response = await fetch((anchor.location ?? anchor.entity_id) + '/.well-known/tamga-federation')
  check(response.ok, 'TMG-E-010')
  const bundle = await response.json()
  check(bundle.version === 1, 'TMG-E-010')
  const statement = 'entity-statement+jwt'
  const own = open(bundle.configuration, statement, anchor.jwks.keys, 'TMG-E-003')
  check(own.iss === anchor.entity_id && own.sub === own.iss && own.exp > now(), 'TMG-E-003')
  const listing = open(bundle.listing, 'tamga-listing+jwt', own.jwks.keys, 'TMG-E-007')
  check(listing.iss === anchor.entity_id && listing.members.includes(entity), 'TMG-E-008')
  for (const token of bundle.resolved) {
    if (JSON.parse(unb64(token.split('.')[1])).sub !== entity) continue
    const resolved = open(token, 'resolve-response+jwt', own.jwks.keys, 'TMG-E-010')
    check(resolved.trust_chain.length === 3, 'TMG-E-003')
    const [leafToken, linkToken, topToken] = resolved.trust_chain
    const top = open(topToken, statement, anchor.jwks.keys, 'TMG-E-003')
    const link = open(linkToken, statement, top.jwks.keys, 'TMG-E-003')
    const leaf = open(leafToken, statement, link.jwks.keys, 'TMG-E-003')
    check(link.iss === top.sub && link.sub === leaf.sub && leaf.iss === leaf.sub && leaf.sub === entity, 'TMG-E-003')
    check(Math.min(leaf.exp, link.exp, top.exp) > now() && leaf.authority_hints.includes(link.iss), 'TMG-E-003')
    const pinned = link.metadata.tamga_node
    check(pinned.jurisdiction !== undefined && pinned.peer_id !== undefined, 'TMG-E-002')
    const node = { ...leaf.metadata.tamga_node, ...pinned }
    const signer = JSON.parse(unb64(leafToken.split('.')[0])).kid
    const proof = unb64(node.peer_id_proofs[node.peer_id])
    check(await peerIdFromString(node.peer_id).publicKey.verify(possession(entity, signer), proof), 'TMG-E-014')
    return node
  }
  throw new Error('TMG-E-003')
}

// possession is what the key of a peer ID signs for an Entity and its federation key (TMG-E-014).
function possession (entity, kid) {
  const framed = (s) => { const b = Buffer.alloc(2); b.writeUInt16BE(Buffer.byteLength(s)); return Buffer.concat([b, Buffer.from(s)]) }
  return Buffer.concat([Buffer.from('tamga/v1/peer-id'), framed(entity), framed(kid)])
}

async function init (dir, entity, country, anchor) {
  mkdirSync(dir, { recursive: true })
  const federation = newKey(); const signing = newKey(); const ledger = newKey(); const seed = randomBytes(32)
  const sealing = await suite.kem.generateKeyPair()
  const pub = Buffer.from(await suite.kem.serializePublicKey(sealing.publicKey))
  const libp2p = await generateKeyPairFromSeed('Ed25519', seed)
  const peer = peerIdFromPrivateKey(libp2p).toString()
  const proof = b64(await libp2p.sign(possession(entity, federation.kid)))
  const origin = new URL(entity).host + '/ledger'
  const typed = Buffer.concat([Buffer.from([1]), unb64(ledger.x)]) // C2SP signed-note, type 0x01
  const vkey = origin + '+' + sha256(origin + '\n', typed).subarray(0, 4).toString('hex') + '+' + typed.toString('base64')
  const node = {
    jurisdiction: country, peer_id: peer, peer_id_proofs: { [peer]: proof }, addresses: [], jwks: { keys: [publicJWK(signing)] },
    sealing_keys: [{ kid: b64(sha256('tamga/v1/sealing-key', pub).subarray(0, 16)), kem: 'X-Wing', kdf: 'HKDF-SHA256', aead: 'AES-256-GCM', pub: b64(pub) }],
    modalities: [], formats: [], purposes: [], ledger: { origin, keys: [vkey] }, revisions: ['1']
  }
  const configuration = jws(federation, 'entity-statement+jwt', {
    iss: entity, sub: entity, iat: now(), exp: now() + 86400, jwks: { keys: [publicJWK(federation)] },
    authority_hints: [anchor], metadata: { tamga_node: node }
  })
  writeFileSync(dir + '/entity-configuration.jwt', configuration)
  writeFileSync(dir + '/keys.json', JSON.stringify({ entity, signing, seed: b64(seed) }))
}

// --- section 2: transport ---

// connection speaks TCP, Noise and Yamux and nothing else: nodes serve no identify or ping.
async function connection (seed, peer) {
  const host = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed), addresses: { listen: [] }, transports: [tcp()],
    connectionEncrypters: [noise()], streamMuxers: [yamux()], connectionMonitor: { enabled: false }
  })
  const address = peer.addresses.find((a) => a.includes('/tcp/'))
  check(address !== undefined, 'TMG-T-001')
  const c = await host.dial(multiaddr(address.split('/p2p/')[0] + '/p2p/' + peer.peer_id))
  return { host, c }
}

// exchange sends one frame and reads one (TMG-T-003, TMG-T-004).
async function exchange (c, protocol, frame) {
  const stream = await c.newStream(protocol)
  const header = Buffer.alloc(4)
  header.writeUInt32BE(frame.length)
  // The initiator's side stays open until the reply is there: streams are reused.
  let done
  const finished = new Promise((resolve) => { done = resolve })
  const sent = stream.sink((async function * () { yield Buffer.concat([header, frame]); await finished })())
  let got = Buffer.alloc(0)
  try {
    for await (const chunk of stream.source) {
      got = Buffer.concat([got, Buffer.from(chunk.subarray())])
      if (got.length >= 4 && got.length >= 4 + got.readUInt32BE(0)) break
    }
  } finally {
    done()
  }
  await sent.catch(() => {})
  check(got.length >= 5 && got.length === 4 + got.readUInt32BE(0) && got.length <= 4 + 262144, 'TMG-T-003')
  return got.subarray(4)
}

// --- section 3: Query ---

async function query (keys, responder, peer, subject, probe, fault) {
  const [jurisdiction, type, value] = subject.split(':')
  const reply = await suite.kem.generateKeyPair()
  let to = peer.sealing_keys.find((k) => k.kem === 'X-Wing' && k.kdf === 'HKDF-SHA256' && k.aead === 'AES-256-GCM')
  check(to !== undefined && b64(sha256('tamga/v1/sealing-key', unb64(to.pub)).subarray(0, 16)) === to.kid, 'section 1, sealing_keys')
  let recipient = unb64(to.pub)
  if (fault === 'seal') recipient = Buffer.from(await suite.kem.serializePublicKey((await suite.kem.generateKeyPair()).publicKey))
  const c = {
    rev: '1', iss: keys.entity, aud: responder, iat: now(), exp: now() + 30, jti: b64(randomBytes(16)), purpose: 'border_control',
    legal_basis: 'public_task', operation: 'verify', officer: 'js', seal_kid: to.kid,
    reply_key: b64(await suite.kem.serializePublicKey(reply.publicKey))
  }
  const aad = sha256(cbor(['tamga/v1/query-aad', c.rev, c.iss, c.aud, c.iat, c.exp, c.jti, c.purpose, c.legal_basis, c.operation, c.officer, c.seal_kid, c.reply_key]))
  const plain = cbor(new Map([
    [1, new Map([[1, jurisdiction], [2, type], [3, value]])],
    [2, [new Map([[1, 'face'], [2, 'tamga-embedding-1'], [3, new Uint8Array(probe)]])]]
  ]))
  c.sealed = b64(await seal(recipient, 'tamga/v1/query', aad, plain))
  let frame = jws(keys.signing, 'tamga-query+jwt', c)
  if (fault === 'sign') frame = frame.slice(0, -4) + (frame.endsWith('AAAA') ? 'BBBB' : 'AAAA')
  return { frame: Buffer.from(frame), claims: c, replyKey: reply.privateKey }
}

// --- section 4: Answer and Refusal ---

async function read (q, responder, peer, frame) {
  if (frame.length === 1 && frame[0] === 0x15) return { kind: 'overloaded' } // TMG-T-006
  const token = frame.toString()
  const hash = b64(sha256(q.frame))
  const typ = JSON.parse(unb64(token.split('.')[0])).typ
  if (typ === 'tamga-refusal+jwt') { // TMG-A-007
    const r = open(token, typ, peer.jwks.keys, 'TMG-A-001')
    check(r.iss === responder && r.query_hash === hash, 'TMG-A-001')
    return { kind: 'refusal', outcome: r.outcome, code: r.code }
  }
  const a = open(token, 'tamga-answer+jwt', peer.jwks.keys, 'TMG-A-001')
  check(a.iss === responder && a.aud === q.claims.iss, 'TMG-A-001')
  check(a.query_hash === hash, 'TMG-A-002')
  const aad = sha256(cbor(['tamga/v1/answer-aad', a.iss, a.aud, a.iat, a.query_hash]))
  const plain = await unseal(q.replyKey, 'tamga/v1/answer', aad, unb64(a.sealed)) // TMG-A-003
  const m = decode(plain, ints)
  check(Buffer.compare(Buffer.from(cbor(m)), plain) === 0, 'Conventions')
  const policy = m.get(4); const receipt = m.get(5)
  const size = await verifyReceipt(peer.ledger, receipt)
  const leaf = decode(receipt.get(4), ints)
  // TMG-A-008
  const said = [leaf.get(2), leaf.get(4), leaf.get(5), b64(leaf.get(6)), leaf.get(7), leaf.get(8), leaf.get(9), leaf.get(10), leaf.get(11), leaf.get(12), leaf.get(13) ?? 0]
  const want = ['answer', q.claims.iss, responder, hash, q.claims.purpose, q.claims.legal_basis, q.claims.operation, q.claims.officer, m.get(1), m.get(2), m.get(3)]
  check(JSON.stringify(said) === JSON.stringify(want), 'TMG-A-008')
  check(JSON.stringify([...leaf.get(14)]) === JSON.stringify([...policy]), 'TMG-A-008')
  return { kind: 'answer', outcome: m.get(1), code: m.get(2), one_in: m.get(3), policy: policy.get(3), article: policy.get(4), ledger_size: size }
}

// --- section 7: ledger ---

// verifyReceipt checks TMG-L-001 and TMG-L-002 and returns the checkpoint's size.
async function verifyReceipt (ledger, receipt) {
  const note = Buffer.from(receipt.get(1)).toString()
  const split = note.indexOf('\n\n')
  const text = note.slice(0, split + 1)
  const [origin, size, root] = text.split('\n')
  check(origin === ledger.origin, 'TMG-L-002')
  const signatures = note.slice(split + 2).split('\n').filter((l) => l.startsWith('— ')).map((l) => l.slice(2).split(' '))
  for (const vkey of ledger.keys) {
    const [name, id, encoded] = [vkey.slice(0, origin.length), ...vkey.slice(origin.length + 1).split(/\+(.*)/s)]
    const typed = Buffer.from(encoded, 'base64')
    check(name === origin && sha256(name + '\n', typed).subarray(0, 4).toString('hex') === id, 'TMG-L-001')
    const ok = signatures.some(([who, s]) => {
      const b = Buffer.from(s, 'base64')
      return who === name && b.subarray(0, 4).toString('hex') === id && signedBy(typed, name, text, BigInt(size), root, b.subarray(4))
    })
    check(ok, 'TMG-L-001')
  }
  const leaf = Buffer.from(receipt.get(4))
  const proof = receipt.get(3).map((p) => Buffer.from(p))
  check(included(BigInt(receipt.get(2)), BigInt(size), sha256([0], leaf), proof).equals(Buffer.from(root, 'base64')), 'TMG-L-002')
  return Number(size)
}

function signedBy (typed, name, text, size, root, signature) {
  if (typed[0] === 1) {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: b64(typed.subarray(1)) }, format: 'jwk' })
    return verify(null, Buffer.from(text), key, signature)
  }
  if (typed[0] !== 6) return false
  // C2SP tlog-cosignature: "subtree/v1\n\0", cosigner, timestamp, origin, start, end, root.
  const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(n); return b }
  const named = (s) => Buffer.concat([Buffer.from([Buffer.byteLength(s)]), Buffer.from(s)])
  const origin = text.split('\n')[0]
  const message = Buffer.concat([Buffer.from('subtree/v1\n\0'), named(name), signature.subarray(0, 8), named(origin), u64(0n), u64(size), Buffer.from(root, 'base64')])
  return ml_dsa44.verify(signature.subarray(8), message, typed.subarray(1))
}

// included recomputes the root from an audit path (RFC 9162 section 2.1.3.2, whose trees are
// those of RFC 6962).
function included (index, size, hash, path) {
  check(index < size, 'TMG-L-002')
  let fn = index; let sn = size - 1n; let r = hash
  for (const p of path) {
    check(sn !== 0n, 'TMG-L-002')
    if ((fn & 1n) === 1n || fn === sn) {
      r = sha256([1], p, r)
      while ((fn & 1n) === 0n && fn !== 0n) { fn >>= 1n; sn >>= 1n }
    } else {
      r = sha256([1], r, p)
    }
    fn >>= 1n; sn >>= 1n
  }
  check(sn === 0n, 'TMG-L-002')
  return r
}

async function ask (dir, anchorFile, responder, subject, probeFile, fault) {
  const keys = JSON.parse(readFileSync(dir + '/keys.json'))
  const peer = await resolve(JSON.parse(readFileSync(anchorFile)), responder)
  const q = await query(keys, responder, peer, subject, readFileSync(probeFile), fault)
  const { host, c } = await connection(unb64(keys.seed), peer)
  try {
    let reply = await exchange(c, '/tamga/query/1', q.frame)
    if (fault === 'replay') reply = await exchange(c, '/tamga/query/1', q.frame)
    return await read(q, responder, peer, reply)
  } finally {
    await host.stop()
  }
}

const [verb, ...args] = process.argv.slice(2)
const result = verb === 'init' ? await init(...args) : await ask(...args)
if (result !== undefined) console.log(JSON.stringify(result))
process.exit(0)
