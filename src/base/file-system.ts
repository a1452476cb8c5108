/** An open file. Positions are absolute; there is no cursor. */
export interface OpenFile {
  /** Reads at most `into.length` bytes at `position`; 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes all of `bytes` at `position`. @throws DISK_FULL, FILE_SYSTEM */
  write(bytes: Uint8Array, position: number): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  /** Resolves when the content and the size are on the disk. */
  sync(): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/** `read`: must exist. `update`: must exist, read and write. `create`: made if absent. `exclusive`: must not exist. */
export type OpenMode = 'read' | 'update' | 'create' | 'exclusive'

export interface FileEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
}

/**
 * The seam to the disk: the only way in which rooms touch durable state, so that a test can cut the power.
 * A new name (created, renamed, linked) is durable only after `syncDirectory` of the directory that holds it;
 * content only after `OpenFile.sync`. Failures are SealiftErrors: DISK_FULL or FILE_SYSTEM with `detail.errno`
 * ('ENOENT' and so on); what is merely absent is `undefined` where the signature says so.
 */
export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<OpenFile>
  /** `undefined` where there is nothing. Links are not followed. */
  stat(path: string): Promise<{ kind: FileEntry['kind']; sizeBytes: number; modifiedMs: number } | undefined>
  /** Entries in byte order of their names; empty where the directory is absent. */
  list(directory: string): Promise<FileEntry[]>
  /** Makes the directory and its parents, all durable when it resolves; `isPassing`: a power cut may take it back. */
  makeDirectory(path: string, options?: { readonly isPassing?: boolean }): Promise<void>
  /** Replaces `to` in one step. */
  rename(from: string, to: string): Promise<void>
  /** Gives the file a second name; fails with errno EEXIST where `to` exists. */
  link(from: string, to: string): Promise<void>
  /** Removes a file, or an empty directory. Nothing happens where there is nothing. */
  remove(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  /** Sets the time of the last change to now; false where there is nothing. */
  touch(path: string): Promise<boolean>
  /** Free bytes for an unprivileged writer on the disk that holds `path` (or its nearest existing parent). */
  freeBytes(path: string): Promise<number>
}
