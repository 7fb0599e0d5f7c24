// Resolves an Entity with @openid-federation/core and prints what came of it.
//
//   node resolve.mjs BASE ENTITY ANCHOR
//
// Every https URL is fetched from BASE/<host>/<path>: the identifiers are not registered.
import { createPublicKey, verify } from 'node:crypto'
import { resolveTrustChains } from '@openid-federation/core'

const [base, entityId, anchor] = process.argv.slice(2)
const network = globalThis.fetch
globalThis.fetch = (url, init) => {
  const u = new URL(url)
  return network(`${base}/${u.host}${u.pathname}${u.search}`, init)
}

const chains = await resolveTrustChains({
  entityId,
  trustAnchorEntityIds: [anchor],
  verifyJwtCallback: async ({ data, signature, jwk }) =>
    verify(null, data, createPublicKey({ key: jwk, format: 'jwk' }), signature),
})
console.log(JSON.stringify(chains.map((c) => ({
  subjects: c.chain.map((s) => s.sub),
  issuers: c.chain.map((s) => s.iss),
  metadata: c.resolvedLeafMetadata,
}))))
