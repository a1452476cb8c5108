import { failure } from '../codes.ts'

/** The versions of the protocol that guests were released with. 0.3.0 never was. */
export type ProtocolVersion = '0.1.0' | '0.1.1' | '0.2.0' | '0.4.0'

/** In what one version is different from another. */
export interface Protocol {
  readonly version: ProtocolVersion
  /** `flat` bodies carry the key and the evidence alone; `composite` ones carry devices and init-data too. */
  readonly attestation: 'flat' | 'composite'
  /** Evidence is JSON within a JSON string. */
  readonly evidenceAsText: boolean
  /** `extra-params` is text and never an object. */
  readonly textParameters: boolean
  /** What guests of the version say that they can hash with. */
  readonly hashAlgorithms: readonly string[]
  /** `legacy`: protected header in plain JSON that nothing authenticates, the tag behind the ciphertext; `rfc7516` else. */
  readonly encryption: 'legacy' | 'rfc7516'
  readonly keys: readonly TeeKeyAlgorithm[]
}

/** The `alg` of a TEE's key. */
export type TeeKeyAlgorithm = 'ECDH-ES+A256KW' | 'RSA-OAEP-256' | 'RSA1_5' | 'ML-KEM-768+A192KW'

/** From the sources of guest-components: 0.9, 0.10 and 0.11, 0.12 and 0.13, 0.14 and on. */
const protocols: ReadonlyMap<string, Protocol> = new Map(
  (
    [
      {
        version: '0.1.0',
        attestation: 'flat',
        evidenceAsText: true,
        textParameters: true,
        hashAlgorithms: [],
        encryption: 'legacy',
        keys: ['RSA1_5'],
      },
      {
        version: '0.1.1',
        attestation: 'flat',
        evidenceAsText: false,
        textParameters: false,
        hashAlgorithms: ['sha256', 'sha384', 'sha512'],
        encryption: 'legacy',
        keys: ['RSA1_5'],
      },
      {
        version: '0.2.0',
        attestation: 'flat',
        evidenceAsText: false,
        textParameters: false,
        hashAlgorithms: ['sha256', 'sha384', 'sha512'],
        encryption: 'rfc7516',
        keys: ['ECDH-ES+A256KW', 'RSA-OAEP-256'],
      },
      {
        version: '0.4.0',
        attestation: 'composite',
        evidenceAsText: false,
        textParameters: false,
        hashAlgorithms: ['sha256', 'sha384', 'sha512', 'sm3'],
        encryption: 'rfc7516',
        keys: ['ECDH-ES+A256KW', 'RSA-OAEP-256', 'ML-KEM-768+A192KW'],
      },
    ] as const satisfies readonly Protocol[]
  ).map((protocol) => [protocol.version, protocol]),
)

export const protocolVersions = [...protocols.keys()] as readonly ProtocolVersion[]

/** @throws RCAR_VERSION_UNKNOWN */
export function protocolOf(version: string): Protocol {
  const protocol = protocols.get(version)
  if (!protocol) {
    throw failure('RCAR_VERSION_UNKNOWN', `the protocol version is none of ${protocolVersions.join(', ')}`)
  }
  return protocol
}
