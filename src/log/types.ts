/** Where a log is read from: what stands at the relative paths of C2SP tlog-tiles (`checkpoint`, `tile/0/000.p/5`). */
export interface TileStore {
  /** At most the first `maxBytes`; `undefined` where there is nothing. What comes is not believed before it is verified. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>
}

/** What a witness needs to cosign a checkpoint (C2SP tlog-witness, add-checkpoint). */
export interface CosignRequest {
  /** The size that the proof begins at: the last one that the witness has seen, as far as is known. */
  readonly oldSize: number
  readonly proof: readonly Uint8Array[]
  /** A checkpoint, signed by the log. */
  readonly checkpoint: string
}

/** A witness, here or behind a network. */
export interface Cosigner {
  readonly name: string
  /**
   * Gives the signature lines to put below the checkpoint.
   *
   * @throws WITNESS_CONFLICT with `detail.size` where it has seen another size, WITNESS_UNKNOWN_LOG, LOG_FORKED,
   *   LOG_ROLLED_BACK, LOG_PROOF_INVALID
   */
  cosign(request: CosignRequest): Promise<string>
}

/** Signs notes (C2SP signed-note): a named key. `sign` gets the note's text and gives the signature bytes after the key id. */
export interface NoteSigner {
  readonly name: string
  /** First four bytes of SHA-256(name || "\n" || type || public key). */
  readonly keyId: number
  sign(text: Uint8Array): Promise<Uint8Array>
}

/** Knows one named key of notes. */
export interface NoteVerifier {
  readonly name: string
  readonly keyId: number
  /** @throws NOTE_SIGNATURE_INVALID */
  verify(text: Uint8Array, signature: Uint8Array): void
}

/** Size and root of a log at one moment; `note` is what was signed. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** The whole signed note, cosignatures included. */
  readonly note: string
}

/** Where an entry stands, told when it is durable and covered by a signed checkpoint. */
export interface Appended {
  readonly index: number
  readonly checkpoint: Checkpoint
}

/** Reading a log: proofs over tiles; every tile read is checked against the checkpoint's root. */
export interface LogReader {
  /** The newest checkpoint, its signature verified. */
  checkpoint(): Promise<Checkpoint>
  /** @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  entry(index: number): Promise<Uint8Array>
  /** Entries in order, from `from` up to `to` (exclusive; the checkpoint's size where it is not said). */
  entries(from: number, to?: number): AsyncIterable<{ readonly index: number; readonly bytes: Uint8Array }>
  /** RFC 6962 section 2.1.1. Hashes of 32 bytes. */
  inclusionProof(index: number, size: number): Promise<readonly Uint8Array[]>
  /** RFC 6962 section 2.1.2. */
  consistencyProof(from: number, to: number): Promise<readonly Uint8Array[]>
}

/** An append-only log with one writer at a time. */
export interface Log extends LogReader, AsyncDisposable {
  /** Group commit: entries of several callers become durable together. Resolves only when nothing can be lost. */
  append(entry: Uint8Array): Promise<Appended>
}
