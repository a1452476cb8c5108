import type { Json } from '#base/index.ts'
import type { CallOptions } from '#content/index.ts'
import type { SignedBy } from './signatory.ts'

/** What was signed, as a witness gets to see it. */
export type SignedThing = {
  readonly signature: Uint8Array
  /** The bytes that the signature is over. */
  readonly message: Uint8Array
  readonly by: SignedBy
} & (
  | { readonly kind: 'message' }
  | {
      readonly kind: 'envelope'
      /** DSSE, as JSON. */
      readonly envelope: { readonly [key: string]: Json }
    }
)

/** What a witness gives: the entry in a log, as a bundle holds it (TransparencyLogEntry in JSON), or a time stamp. */
export type Testimony =
  | { readonly kind: 'log'; readonly entry: LogEntryJson }
  /** RFC 3161 TimeStampResp, DER. */
  | { readonly kind: 'time'; readonly response: Uint8Array }

/** dev.sigstore.rekor.v1.TransparencyLogEntry as protobuf writes it in JSON; bytes are base64, numbers texts. */
export interface LogEntryJson {
  readonly logIndex: string
  readonly logId: { readonly keyId: string }
  readonly kindVersion: { readonly kind: string; readonly version: string }
  readonly integratedTime?: string
  readonly inclusionPromise?: { readonly signedEntryTimestamp: string }
  readonly inclusionProof?: {
    readonly logIndex: string
    readonly rootHash: string
    readonly treeSize: string
    readonly hashes: readonly string[]
    readonly checkpoint: { readonly envelope: string }
  }
  readonly canonicalizedBody: string
}

/** A log, or an authority for time stamps. */
export interface Witness {
  /** @throws SIGNING_SERVICE_UNREACHABLE, SIGNING_SERVICE_REFUSED, SIGNING_SERVICE_ANSWER_INVALID */
  testify(thing: SignedThing, options?: CallOptions): Promise<Testimony>
}
