import type { FileSystem } from '#base/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { refNameAnnotation } from '../annotations.ts'
import { RootedRepositories, RootedSource } from '../rooted-repositories.ts'
import type { ByteRange, CallOptions, Container, Root } from '../types.ts'
import type { BytesVerdict } from '../verify.ts'
import { bundlePath } from './format.ts'
import { type Generation, generationsOf } from './generations.ts'
import { ArchiveReader } from './reader.ts'
import { readEarlierRoots, readRoots } from './roots.ts'
import { verifyArchiveBytes } from './verify-bytes.ts'

/** A container that is Sealift's archive: it may hold a bundle.json, and knows what was left out. */
export interface ArchiveContainer extends Container {
  readonly absent: readonly Digest[]
  /** The bytes of bundle.json, verified, where there is one. */
  bundle(maxBytes: number): Promise<Uint8Array | undefined>
  readonly reader: ArchiveReader
  /** Every state that the archive has had, the oldest first: each whole, and each with the digest of its index. */
  generations(): Promise<readonly Generation[]>
}

/** Opens an archive to read: two reads. @throws ARCHIVE_INVALID, ARCHIVE_NEWER, FILE_SYSTEM */
export async function openArchive(
  path: string,
  options: { fs?: FileSystem } = {},
): Promise<ArchiveContainer> {
  const reader = await ArchiveReader.open(path, options.fs)
  let roots: Promise<readonly Root[]> | undefined
  const rooted = {
    roots: () => {
      roots ??= readRoots(reader).then((descriptors) => descriptors.map(rootOf))
      return roots
    },
    size: async (digest: Digest) => reader.blob(digest)?.size,
    open: async (digest: Digest, range?: ByteRange) => reader.open(digest, range),
  }
  const repositories = new RootedRepositories(rooted, 'archive')
  return {
    reader,
    roots: rooted.roots,
    source: new RootedSource(rooted),
    repository: (name) => repositories.repository(name),
    names: (page) => repositories.names(page),
    absent: reader.index.absent,
    async *contents() {
      yield* reader.index.blobs
    },
    verifyBytes: (options?: CallOptions): AsyncGenerator<BytesVerdict> => verifyArchiveBytes(reader, options),
    bundle: async (maxBytes) =>
      reader.fileEntry(bundlePath) ? reader.readFile(bundlePath, maxBytes) : undefined,
    generations: () => generationsOf(reader),
    earlierRoots: () => readEarlierRoots(reader),
    close: () => reader.close(),
  }
}

function rootOf(descriptor: Descriptor): Root {
  const reference = descriptor.annotations?.[refNameAnnotation]
  return reference === undefined ? { descriptor } : { descriptor, reference }
}
