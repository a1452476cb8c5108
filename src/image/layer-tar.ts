import { open } from 'node:fs/promises'
import { pack } from 'tar-stream'
import { fileSystemFailure } from '#base/index.ts'
import { failure } from './codes.ts'
import type { LayerEntry } from './layer-entries.ts'

const chunkBytes = 256 * 1024
/** The largest owner that the octal field of a tar header holds. */
const octalOwner = 0o7777777

/**
 * The tar archive of a layer, byte for byte the same for the same entries: every member has the one time, and
 * neither user names nor devices.
 *
 * @param epochSeconds the time of all members
 * @throws IMAGE_FILE_UNSUITABLE where a file changed its size since it was looked at
 */
export async function* layerTar(
  entries: Iterable<LayerEntry>,
  epochSeconds: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const tar: Pack = pack({ highWaterMark: chunkBytes })
  // A file that fails destroys the archive with its error, which the loop below then throws.
  const filling = fill(tar, entries, epochSeconds, signal).catch((error: Error) => void tar.destroy(error))
  try {
    yield* tar as AsyncIterable<Uint8Array>
  } finally {
    tar.destroy()
    await filling
  }
}

type Pack = ReturnType<typeof pack>
type Member = ReturnType<Pack['entry']>

async function fill(tar: Pack, entries: Iterable<LayerEntry>, epochSeconds: number, signal?: AbortSignal) {
  for (const entry of entries) {
    signal?.throwIfAborted()
    if (tar.destroyed) return
    const member = tar.entry(headerOf(entry, epochSeconds))
    // Errors of a member destroy the archive, whose reader tells.
    member.on('error', () => {})
    if (entry.kind === 'file') await fillFile(member, entry, signal)
  }
  tar.finalize()
}

function headerOf(entry: LayerEntry, epochSeconds: number): Parameters<Pack['entry']>[0] {
  const { path, mode, uid, gid } = entry
  const large = { ...(uid > octalOwner && { uid: `${uid}` }), ...(gid > octalOwner && { gid: `${gid}` }) }
  return {
    name: entry.kind === 'directory' ? `${path}/` : path,
    // With the bit of a regular file: tar-stream takes a mode of 0 for one that was not said, and drops that bit.
    mode: mode | 0o100000,
    uid: Math.min(uid, octalOwner),
    gid: Math.min(gid, octalOwner),
    mtime: new Date(epochSeconds * 1000),
    type: entry.kind,
    ...(entry.kind === 'file' && { size: entry.sizeBytes }),
    ...(entry.kind === 'symlink' && { linkname: entry.target }),
    ...(Object.keys(large).length > 0 && { pax: large }),
  }
}

async function fillFile(
  member: Member,
  { from, sizeBytes }: LayerEntry & { kind: 'file' },
  signal: AbortSignal | undefined,
): Promise<void> {
  const waiting = new Waiting(member)
  if (typeof from !== 'string') {
    member.end(Buffer.from(from.buffer, from.byteOffset, from.length))
    await waiting.ended
    return
  }
  const handle = await open(from, 'r').catch((error) => {
    throw fileSystemFailure(from, error)
  })
  try {
    let done = 0
    while (done < sizeBytes) {
      signal?.throwIfAborted()
      // A buffer of its own for each: the archive keeps it until it is compressed.
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, sizeBytes - done))
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, done).catch((error) => {
        throw fileSystemFailure(from, error)
      })
      // A member that was given up tells nobody any more that there is room.
      if (member.destroyed) return
      if (bytesRead === 0) break
      done += bytesRead
      if (!member.write(buffer.subarray(0, bytesRead))) await waiting.room()
    }
    const more = done < sizeBytes || (await handle.read(Buffer.alloc(1), 0, 1, done)).bytesRead > 0
    if (more) throw failure('IMAGE_FILE_UNSUITABLE', `${from} changed while it was read`)
  } finally {
    await handle.close()
  }
  member.end(null)
  await waiting.ended
}

/** Waits for one member of the archive: for room in it, and for its end. A member that was given up ends as well. */
class Waiting {
  readonly ended: Promise<void>
  #resume: () => void = () => {}
  constructor(member: Member) {
    this.ended = new Promise((resolve) => {
      member.once('close', () => {
        resolve()
        this.#resume()
      })
    })
    member.on('drain', () => this.#resume())
  }
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve
    })
  }
}
