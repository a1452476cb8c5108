import { createPublicKey } from 'node:crypto'
import type { Json } from '#base/index.ts'
import type { Leases } from '../leases/index.ts'
import type { Caller, IdentityOf, Plugin, Reply } from '../types.ts'
import type { AuthoritySet } from './authorities.ts'
import { nebulaPem } from './certificate.ts'
import { failure } from './codes.ts'
import { credential, identityOf, told, wantedBy } from './credential.ts'
import { problems } from './problems.ts'

export interface NebulaPluginTerms {
  readonly leases: Leases
  /**
   * The authority that issues at a moment, and all whose certificates count: while one follows another both do, the new
   * one before it issues, the old one until its last certificate ends. Asked for with each request.
   */
  readonly authorities: (at: Date, signal: AbortSignal) => Promise<AuthoritySet>
  /** Who a caller is by what stays the same from one attestation to the next, or undefined for nobody. */
  readonly identity: IdentityOf
  /** The digest of a node key that the caller's evidence carries (`nodeKeyDigest`), where there is one. */
  readonly attestedKeyDigest?: (caller: Caller) => string | undefined
  /** How long a credential lasts where the request does not say, and at most. */
  readonly defaultMs: number
  readonly longestMs: number
  readonly random?: (bytes: number) => Uint8Array
}

/**
 * The plugin `nebula-ca`. `GET credential?name=...` gives the caller its credential, the same until half of its time is
 * over; `DELETE credential?name=...` gives name and address back and revokes it. `GET ca`, `GET blocklist` and
 * `GET possession-key` (a JWK, for `proveNodeKey`) are for everybody. A policy sees, beside the query as it stands, what it means: `data.request.nebula`.
 */
export function nebulaPlugin(terms: NebulaPluginTerms): Plugin {
  return {
    name: 'nebula-ca',
    problems,
    access({ method, path }) {
      const [first] = path
      if (method === 'GET' && path.length === 1 && publicPaths.includes(first ?? '')) return 'public'
      return first === 'credential' ? 'attested' : 'admin'
    },
    encrypted: ({ method, path }) => method === 'GET' && path[0] === 'credential',
    policyData(request) {
      const { path, query, caller } = request
      const call = callOf(request)
      const whole = { plugin: 'nebula-ca', 'resource-path': [...path], query: { ...query } }
      if (call === 'GET credential') return { ...whole, nebula: told(wantedBy(request, terms)) }
      if (call !== 'DELETE credential') throw unknown()
      return { ...whole, nebula: { name: releasedName(query), identity: identityOf(terms, caller) } }
    },
    async handle(request, at, signal) {
      const call = callOf(request)
      if (call === 'GET credential') {
        const { certificate, key, authorities } = await credential(terms, request, at, signal)
        return json(
          {
            node_crt: bytesOf(certificate),
            ...(key !== undefined && { node_key: bytesOf(key) }),
            ca_crt: bytesOf(authorities.trusted.map(nebulaPem).join('')),
          },
          true,
        )
      }
      if (call === 'DELETE credential') {
        const name = releasedName(request.query)
        await terms.leases.release(identityOf(terms, request.caller), name, at, signal)
        return json({ released: name }, true)
      }
      if (call === 'GET ca') {
        const { trusted } = await terms.authorities(at, signal)
        const body = Buffer.from(trusted.map(nebulaPem).join(''))
        return { mediaType: 'application/x-pem-file', body, noStore: false }
      }
      if (call === 'GET blocklist') {
        // As Nebula's configuration has it, of which JSON is a form.
        return json({ pki: { blocklist: await terms.leases.revocations.fingerprints(at) } }, false)
      }
      if (call === 'GET possession-key') {
        const [key] = (await terms.authorities(at, signal)).possession
        if (!key) throw failure('NEBULA_PATH_UNKNOWN', 'nodes on P-256 sign for their keys')
        return json({ ...createPublicKey(key).export({ format: 'jwk' }) } as Json, false)
      }
      throw unknown()
    },
  }
}

const publicPaths: readonly string[] = ['ca', 'blocklist', 'possession-key']

const callOf = ({ method, path }: { readonly method: string; readonly path: readonly string[] }): string =>
  path.length === 1 ? `${method} ${path[0]}` : ''

function releasedName({ name, ...others }: Readonly<Record<string, string>>): string {
  if (name && Object.keys(others).length === 0) return name
  throw failure('NEBULA_REQUEST_INVALID', 'a name and nothing else says which lease to release')
}

/** As Trustee's serde writes bytes. */
const bytesOf = (text: string): number[] => [...Buffer.from(text)]

const json = (value: Json, noStore: boolean): Reply => ({
  mediaType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
  noStore,
})

const unknown = () => failure('NEBULA_PATH_UNKNOWN', 'there is nothing of this name here')
