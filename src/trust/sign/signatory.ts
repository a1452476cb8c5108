import type { CallOptions } from '#content/index.ts'
import type { PublicKey, Signer } from '#keys/index.ts'

/** With what a signature can be checked: a key that the reader knows, or a certificate that travels along. */
export interface SignedBy {
  readonly key: PublicKey
  /** DER; where it is here, it stands for the key. */
  readonly certificate?: Uint8Array
  /** The certificates above it, PEM, as the authority gave them. */
  readonly chain?: readonly string[]
}

/** Whoever signs for us: the holder of a key, or somebody whose identity an authority vouches for. */
export interface Signatory {
  /** @throws SIGNING_FAILED, and for keyless ones the codes of the signing services */
  sign(
    message: Uint8Array,
    options?: CallOptions,
  ): Promise<{ readonly signature: Uint8Array; readonly by: SignedBy }>
}

/** Signs with a key and nothing else; readers must know the key. */
export function keySignatory(signer: Signer): Signatory {
  return {
    async sign(message) {
      const { bytes, key } = await signer.sign(message)
      return { signature: bytes, by: { key } }
    },
  }
}
