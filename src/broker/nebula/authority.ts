import type { Signer } from '#keys/index.ts'
import { compareNetworks, type Network } from '../leases/index.ts'
import {
  checkDetails,
  fingerprintOf,
  type NebulaCertificate,
  type NebulaDetails,
  type NebulaVersion,
  NotCertificate,
  signedPart,
} from './certificate.ts'
import { failure } from './codes.ts'
import { checkNodePublicKey, type NebulaCurve } from './node-key.ts'
import { lowS, signingKey, signingKeyBytes } from './signature.ts'
import { checkNebulaAuthority, constraintOf } from './verify.ts'

export interface NebulaAuthorityTerms {
  readonly version: NebulaVersion
  readonly name: string
  /** What it may issue; anything where they are empty. */
  readonly networks?: readonly Network[]
  readonly unsafeNetworks?: readonly Network[]
  readonly groups?: readonly string[]
  readonly notBefore: Date
  readonly notAfter: Date
  /** Holds an Ed25519 or P-256 key, which says the curve. */
  readonly signer: Signer
}

export interface NebulaTerms {
  /** That of the authority where it is not said; one of version 2 can issue both. */
  readonly version?: NebulaVersion
  readonly name: string
  /** At least one address, with the length of the whole overlay network. */
  readonly networks: readonly Network[]
  readonly unsafeNetworks?: readonly Network[]
  readonly groups?: readonly string[]
  /** In whole seconds: rounded down. */
  readonly notBefore: Date
  /** One second before the authority's end where it is not said. */
  readonly notAfter?: Date
  /** Of the node, on the authority's curve. */
  readonly publicKey: Uint8Array
}

/** Issues certificates. It remembers nothing: who must know what was issued keeps the fingerprints. */
export interface NebulaAuthority {
  readonly certificate: NebulaCertificate
  readonly fingerprint: string
  /** @throws NEBULA_TERMS_INVALID, NEBULA_KEY_INVALID, SIGNING_FAILED */
  issue(terms: NebulaTerms): Promise<NebulaCertificate>
}

/** A new authority, with the certificate that it signs itself. @throws NEBULA_TERMS_INVALID, SIGNING_FAILED */
export async function createNebulaAuthority(terms: NebulaAuthorityTerms): Promise<NebulaAuthority> {
  const { signer, version, name } = terms
  const { key } = await signer.sign(Buffer.from('which key is it'))
  const curve: NebulaCurve = key.algorithm === 'ecdsa-p256' ? 'P256' : 'CURVE25519'
  const publicKey = signingKeyBytes(curve, key)
  if (!publicKey) throw invalid('authorities have keys of Ed25519 or P-256')
  const certificate = await sign(signer, key.id, {
    version,
    curve,
    name,
    networks: inOrder(terms.networks),
    unsafeNetworks: inOrder(terms.unsafeNetworks),
    groups: terms.groups ?? [],
    isCa: true,
    notBefore: seconds(terms.notBefore),
    notAfter: seconds(terms.notAfter),
    publicKey,
  })
  return openNebulaAuthority(certificate, signer)
}

/** An authority from its certificate and whoever holds its key. @throws NEBULA_CERTIFICATE_REFUSED */
export function openNebulaAuthority(certificate: NebulaCertificate, signer: Signer): NebulaAuthority {
  checkNebulaAuthority(certificate)
  const fingerprint = fingerprintOf(certificate)
  const keyId = signingKey(certificate.curve, certificate.publicKey)?.id
  return {
    certificate,
    fingerprint,
    async issue(terms) {
      const { curve } = certificate
      const version = terms.version ?? certificate.version
      const details: NebulaDetails = {
        version,
        curve,
        name: terms.name,
        networks: inOrder(terms.networks),
        unsafeNetworks: inOrder(terms.unsafeNetworks),
        groups: terms.groups ?? [],
        isCa: false,
        notBefore: seconds(terms.notBefore),
        notAfter: terms.notAfter ? seconds(terms.notAfter) : certificate.notAfter - 1,
        publicKey: terms.publicKey,
        issuer: fingerprint,
      }
      const objection = constraintOf(certificate, details)
      if (objection !== undefined) throw invalid(objection)
      checkNodePublicKey(curve, terms.publicKey)
      return await sign(signer, keyId, details)
    },
  }
}

/** @param keyId of the authority's key: the signer must have that one */
async function sign(
  signer: Signer,
  keyId: string | undefined,
  details: NebulaDetails,
): Promise<NebulaCertificate> {
  if (details.notAfter <= details.notBefore) throw invalid('it would end before it begins')
  const networks = [details.networks, details.unsafeNetworks]
  if (
    networks.some((list) => list.some((network, i) => i > 0 && compareNetworks(list[i - 1]!, network) === 0))
  )
    throw invalid('a network is there twice')
  try {
    checkDetails(details)
  } catch (error) {
    if (error instanceof NotCertificate) throw invalid(error.message)
    throw error
  }
  const { bytes, key } = await signer.sign(signedPart(details))
  if (keyId !== key.id) throw invalid('the signer has another key than the authority')
  return { ...details, signature: details.curve === 'P256' ? lowS(bytes) : bytes }
}

const inOrder = (networks: readonly Network[] = []) => [...networks].sort(compareNetworks)
const seconds = (date: Date) => Math.floor(date.getTime() / 1000)
const invalid = (reason: string) =>
  failure('NEBULA_TERMS_INVALID', `no such Nebula certificate can be issued: ${reason}`)
