import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import {
  baseFailure,
  type FileSystem,
  fileSystemFailure,
  type Limits,
  limits,
  nodeFileSystem,
  type OpenFile,
} from '#base/index.ts'
import { failure } from './codes.ts'
import type { CallOptions } from './types.ts'

export type Compression = 'gzip' | 'zstd'

export interface SpoolOptions extends CallOptions {
  readonly fs?: FileSystem | undefined
  /** Where the unpacked bytes go; the system's directory for them (TMPDIR) where it is not said. */
  readonly temporaryDirectory?: string | undefined
  readonly limits?: Pick<Limits, 'inflationRatio'> | undefined
}

const chunkBytes = 256 * 1024

/** How bytes that begin like this are compressed: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  // A skippable frame may come first (RFC 8878 section 3.1.2): pzstd writes so.
  const magic = head.length < 4 ? 0 : Buffer.from(head.buffer, head.byteOffset, 4).readUInt32LE(0)
  return magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5 ? 'zstd' : undefined
}

/**
 * Unpacks a file that is compressed through, once, so that there are places in it to read from. The unpacked file
 * loses its name as soon as it is open: it is gone when it is closed, and when the process dies.
 *
 * @param file stays open
 * @throws ARCHIVE_INVALID (damaged, cut off, something after the end), ARCHIVE_HOSTILE (unpacks beyond measure),
 * DISK_FULL, FILE_SYSTEM
 */
export async function spool(
  file: Pick<OpenFile, 'read' | 'size'>,
  compression: Compression,
  options: SpoolOptions = {},
): Promise<OpenFile> {
  const { fs = nodeFileSystem, temporaryDirectory = tmpdir() } = options
  const freeBytes = await fs.freeBytes(temporaryDirectory)
  const spooled = await namelessFile(fs, temporaryDirectory)
  try {
    let at = 0
    for await (const chunk of unpacked(file, compression, options)) {
      // The disk is others' too: what was free at the start is all there is to take.
      if (at + chunk.length > freeBytes) {
        throw baseFailure(
          'DISK_FULL',
          `the archive unpacks to more than the ${freeBytes} bytes that are free in ${temporaryDirectory}`,
          { hint: 'Let TMPDIR name a directory on a larger disk.' },
        )
      }
      await spooled.write(chunk, at)
      at += chunk.length
    }
    return spooled
  } catch (error) {
    await spooled.close()
    throw error
  }
}

/**
 * The unpacked bytes of a whole compressed file; members or frames that follow one another are one content. The
 * chunks belong to the caller.
 *
 * @throws ARCHIVE_INVALID, ARCHIVE_HOSTILE
 */
export async function* unpacked(
  file: Pick<OpenFile, 'read' | 'size'>,
  compression: Compression,
  options: Pick<SpoolOptions, 'limits' | 'signal'> = {},
): AsyncGenerator<Uint8Array> {
  const { inflationRatio } = options.limits ?? limits
  const sizeBytes = await file.size()
  const unpacking = compression === 'gzip' ? createGunzip({ chunkSize: chunkBytes }) : zstd()
  const feeding = pipeline(Readable.from(chunksOf(file, sizeBytes, options.signal)), unpacking)
  // What goes wrong in here the loop below throws; nobody else waits for it.
  feeding.catch(() => undefined)
  let count = 0
  try {
    for await (const chunk of unpacking as AsyncIterable<Uint8Array>) {
      count += chunk.length
      if (count > inflationRatio * sizeBytes) {
        throw failure('ARCHIVE_HOSTILE', `it unpacks to more than ${inflationRatio} times its size`)
      }
      yield chunk
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    throw unpackingFailure(error, compression)
  } finally {
    unpacking.destroy()
    await feeding.catch(() => undefined)
  }
  // The decoders stop at the end of what they know, and say nothing of what follows.
  if ((unpacking as Transform & { bytesWritten: number }).bytesWritten !== sizeBytes) {
    throw failure('ARCHIVE_INVALID', `something comes after the end of the ${compression} data`)
  }
}

const zstd = () => createZstdDecompress({ chunkSize: chunkBytes })

async function* chunksOf(file: Pick<OpenFile, 'read'>, sizeBytes: number, signal: AbortSignal | undefined) {
  for (let at = 0; at < sizeBytes; ) {
    signal?.throwIfAborted()
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytes - at))
    const count = await file.read(buffer, at)
    if (count === 0) return
    at += count
    yield buffer.subarray(0, count)
  }
}

function unpackingFailure(error: unknown, compression: Compression): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (!/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD|ERR_TRAILING)/.test(code ?? '')) return error
  return failure('ARCHIVE_INVALID', `it is no whole ${compression} data: ${message}`, { cause: error })
}

/** An open file that has no name any more, made in a directory that only this user can enter. */
async function namelessFile(fs: FileSystem, temporaryDirectory: string): Promise<OpenFile> {
  const prefix = join(temporaryDirectory, 'sealift-spool-')
  const directory = await mkdtemp(prefix).catch((error) => {
    throw fileSystemFailure(prefix, error)
  })
  const path = join(directory, 'archive.tar')
  try {
    return await fs.open(path, 'exclusive')
  } finally {
    await fs.remove(path)
    await fs.remove(directory)
  }
}
