import { failure } from '../codes.ts'
import type { Pointer } from './format.ts'
import type { ArchiveIndex } from './index-file.ts'
import { type ArchiveReader, pointerAt, readIndex } from './reader.ts'

/** One generation: what its first member points at. */
export interface Generation {
  readonly head: Pointer
  readonly index: ArchiveIndex
}

/**
 * All generations of an archive, the oldest first: each begins where the one before ends.
 *
 * @throws ARCHIVE_INVALID where the chain does not lead to the generation that the file's end tells
 */
export async function generationsOf(reader: ArchiveReader): Promise<Generation[]> {
  const generations: Generation[] = []
  for (let start = 0; start < reader.pointer.archiveSizeBytes; ) {
    const head = await pointerAt(reader.file, start, 'head')
    if (!head || head.archiveSizeBytes <= start || head.archiveSizeBytes > reader.pointer.archiveSizeBytes) {
      throw brokenChain(start)
    }
    generations.push({ head, index: await readIndex(reader.file, head) })
    start = head.archiveSizeBytes
  }
  if (generations.at(-1)?.head.indexDigest !== reader.pointer.indexDigest) throw brokenChain(0)
  return generations
}

const brokenChain = (position: number) =>
  failure('ARCHIVE_INVALID', `the generations of the archive do not follow each other (at byte ${position})`)
