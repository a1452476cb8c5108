import type { LogEntry } from './log-entry.ts'

/** What a proof claims, in one form for all the ways in which proofs are written. Parsed, not judged. */
export interface Claim {
  readonly content: ClaimedContent
  readonly signature: Uint8Array
  readonly signer: ClaimedSigner
  readonly entries: readonly LogEntry[]
  /** RFC 3161, DER. */
  readonly timeStamps: readonly Uint8Array[]
}

export type ClaimedContent =
  /** DSSE around an in-toto statement. */
  | {
      readonly kind: 'envelope'
      readonly payloadType: string
      readonly payload: Uint8Array
      readonly written?: Uint8Array
    }
  /** A signature right over the content; the digest is a hint that nobody signed. */
  | { readonly kind: 'content'; readonly digest?: { readonly hash: string; readonly bytes: Uint8Array } }
  /** A signature over a short document that names the content (cosign's simple signing). */
  | { readonly kind: 'document'; readonly payload: Uint8Array }

export type ClaimedSigner =
  | { readonly kind: 'certificate'; readonly der: Uint8Array }
  /** Who holds which key is for the trust material to say; the hint only speeds the search up. */
  | { readonly kind: 'key'; readonly hint?: string }
