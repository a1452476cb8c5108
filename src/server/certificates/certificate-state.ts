import { X509Certificate } from 'node:crypto'
import { type Json, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

/** A certificate and its private key, PEM. */
export interface CertifiedKey {
  readonly certificate: string
  readonly key: string
}

/** What is kept, and shared by all replicas. */
export interface CertificateState {
  /** Signs the next serving certificate. */
  readonly authority: CertifiedKey
  /** Certificates of authorities before it, trusted until they end, PEM; their keys are gone. */
  readonly previous: readonly string[]
  readonly serving?: CertifiedKey
}

/** Where the state lives. */
export interface CertificateStore {
  /** The state and its version; `undefined` where there is none yet. @throws CERTIFICATE_STATE_INVALID */
  load(): Promise<{ readonly state: CertificateState | undefined; readonly version: string }>
  /** False, and nothing done, where the state is not of this version any more: somebody else was faster. */
  save(state: CertificateState, version: string): Promise<boolean>
}

/** Tells the API servers whom to trust. */
export interface BundlePublisher {
  /** Resolves once every configuration carries the bundle (PEM); nothing is written where it does already. */
  publish(bundle: string): Promise<void>
}

/** Makes certificates. */
export interface CertificateMaker {
  authority(validity: Validity): Promise<CertifiedKey>
  /** For a server that is reached by these names and addresses. */
  serving(
    authority: CertifiedKey,
    validity: Validity,
    names: { readonly hostnames: readonly string[]; readonly addresses: readonly string[] },
  ): Promise<CertifiedKey>
}

export interface Validity {
  readonly from: Date
  readonly until: Date
}

/** All authorities that are to be trusted at `at`, the newest first. */
export const bundleOf = ({ authority, previous }: CertificateState): string =>
  [authority.certificate, ...previous]
    .map((pem) => pem.trim())
    .join('\n')
    .concat('\n')

/** Parses a stored state, member by member. @throws CERTIFICATE_STATE_INVALID */
export function parseState(bytes: Uint8Array): CertificateState {
  const invalid = (why: string) => failure('CERTIFICATE_STATE_INVALID', `the kept certificates: ${why}`)
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes: 1024 * 1024 })
  } catch (error) {
    throw invalid((error as Error).message)
  }
  if (!isObject(value)) throw invalid('not an object')
  const { previous = [] } = value
  if (!Array.isArray(previous)) throw invalid('previous is not a list')
  const certified = (name: string, of: Json | undefined): CertifiedKey => {
    if (!isObject(of) || typeof of.key !== 'string') throw invalid(`${name} is incomplete`)
    return { certificate: certificate(name, of.certificate), key: of.key }
  }
  const certificate = (name: string, of: Json | undefined): string => {
    try {
      if (typeof of !== 'string') throw new TypeError('not a text')
      return new X509Certificate(of).toString()
    } catch {
      throw invalid(`${name} is not a certificate`)
    }
  }
  return {
    authority: certified('authority', value.authority),
    previous: previous.map((pem, at) => certificate(`previous ${at}`, pem)),
    ...(value.serving !== undefined && { serving: certified('serving', value.serving) }),
  }
}
