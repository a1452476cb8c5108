import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { JsonObject } from '../members.ts'
import type { ProtocolVersion } from '../messages/index.ts'
import { parseTeeKey, type TeeKey } from './parse-tee-key.ts'

/** The kinds of keys that a guest can make. */
export type TeeKeyKind = 'P-256' | 'P-521' | 'RSA-OAEP-256' | 'RSA1_5' | 'ML-KEM-768'

/** A guest's key: what it sends, and what opens the replies. */
export interface TeeKeyPair {
  readonly kind: TeeKeyKind
  /** In the order in which guests write it. */
  readonly jwk: JsonObject
  readonly teeKey: TeeKey
  readonly privateKey: KeyObject
}

const generated = promisify(generateKeyPair)

/** A guest's new key. RSA has 2048 bits, as that of Trustee's guests; making one takes some tenths of a second. */
export async function generateTeeKey(kind: TeeKeyKind): Promise<TeeKeyPair> {
  const { publicKey, privateKey } = await make(kind)
  const jwk = jwkOf(kind, publicKey)
  const version: ProtocolVersion = kind === 'RSA1_5' ? '0.1.1' : '0.4.0'
  return { kind, jwk, teeKey: parseTeeKey(jwk, version, { allowRsa15: true }), privateKey }
}

async function make(kind: TeeKeyKind): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  switch (kind) {
    case 'P-256':
    case 'P-521':
      return await generated('ec', { namedCurve: kind })
    case 'ML-KEM-768':
      return await generated('ml-kem-768')
    default:
      return await generated('rsa', { modulusLength: 2048 })
  }
}

function jwkOf(kind: TeeKeyKind, key: KeyObject): JsonObject {
  if (kind === 'ML-KEM-768') {
    const spki = key.export({ type: 'spki', format: 'der' })
    return { kty: 'AKP', alg: 'ML-KEM-768+A192KW', pub: spki.subarray(-1184).toString('base64url') }
  }
  const { x, y, n, e } = key.export({ format: 'jwk' })
  return kind === 'P-256' || kind === 'P-521'
    ? { kty: 'EC', crv: kind, alg: 'ECDH-ES+A256KW', x: x!, y: y! }
    : { kty: 'RSA', alg: kind, n: n!, e: e! }
}
