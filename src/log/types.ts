/** Where tiles, entries and checkpoint live, by the relative paths of C2SP tlog-tiles. */
export interface TileStore {
  /** `undefined` where there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Durable when it resolves; replaces what was there in one step. */
  write(path: string, bytes: Uint8Array): Promise<void>
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
