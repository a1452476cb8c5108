import { type Descriptor, type Digest, digestOf, isManifestType } from '#oci/index.ts'
import {
  blobPath,
  indexPath,
  type Place,
  type Pointer,
  placeMember,
  pointerBytes,
  tailBytes,
} from './format.ts'
import { type ArchiveIndex, type BlobEntry, type FileEntry, formatIndex } from './index-file.ts'

/** A small file that is in memory when the places are laid out. */
export interface SmallFile {
  readonly path: string
  readonly bytes: Uint8Array
}

/** One generation, every place known: the index first, then small files, manifests, blobs, the last member. */
export interface Places {
  readonly index: ArchiveIndex
  readonly indexBytes: Uint8Array
  readonly indexPlace: Place
  readonly files: readonly { readonly place: Place; readonly bytes: Uint8Array }[]
  readonly blobs: ReadonlyMap<Digest, { readonly place: Place; readonly descriptor: Descriptor }>
  readonly head: Pointer
  readonly tail: Pointer
  readonly endBytes: number
}

export interface Earlier {
  readonly index: ArchiveIndex
  readonly archiveSizeBytes: number
}

/**
 * Lays out a generation. The same contents in the same order give the same places, so the same archive.
 *
 * @param earlier the archive that is appended to, where there is one
 */
export function layOut(
  contents: readonly Descriptor[],
  files: readonly SmallFile[],
  absent: readonly Digest[],
  earlier?: Earlier,
): Places {
  const start = earlier?.archiveSizeBytes ?? 0
  const known = new Set(earlier?.index.blobs.map(({ digest }) => digest))
  const fresh = contents.filter(({ digest }) => !known.has(digest))
  const ordered = [...fresh.filter(isManifest), ...fresh.filter((content) => !isManifest(content))]
  // The index tells absolute positions, and its own length moves them: lay out until the length stands still.
  // More digits only make it longer, so this ends.
  for (let indexSize = 0; ; ) {
    const laid = layOutAfter(indexSize, start, ordered, files, absent, earlier)
    if (laid.indexBytes.length === indexSize) return laid
    indexSize = laid.indexBytes.length
  }
}

const isManifest = ({ mediaType }: Descriptor): boolean => isManifestType(mediaType)

function layOutAfter(
  indexSize: number,
  start: number,
  contents: readonly Descriptor[],
  files: readonly SmallFile[],
  absent: readonly Digest[],
  earlier: Earlier | undefined,
): Places {
  const indexPlace = placeMember(indexPath, indexSize, start, pointerBytes)
  let at = indexPlace.end
  const fileEntries: FileEntry[] = []
  const placedFiles = files.map(({ path, bytes }) => {
    const place = placeMember(path, bytes.length, at)
    at = place.end
    fileEntries.push({ path, digest: digestOf(bytes), size: bytes.length, offset: place.contentOffset })
    return { place, bytes }
  })
  const blobs = new Map<Digest, { place: Place; descriptor: Descriptor }>()
  const blobEntries: BlobEntry[] = []
  for (const descriptor of contents) {
    const { digest, size, mediaType } = descriptor
    const place = placeMember(blobPath(digest), size, at)
    at = place.end
    blobs.set(digest, { place, descriptor })
    blobEntries.push({ digest, size, mediaType, offset: place.contentOffset })
  }
  const replaced = new Set(files.map(({ path }) => path))
  const index: ArchiveIndex = {
    generation: earlier ? earlier.index.generation + 1 : 0,
    files: [...(earlier?.index.files.filter(({ path }) => !replaced.has(path)) ?? []), ...fileEntries],
    blobs: [...(earlier?.index.blobs ?? []), ...blobEntries],
    absent,
  }
  const indexBytes = formatIndex(index)
  const pointer = {
    generation: index.generation,
    indexMemberOffset: indexPlace.memberOffset,
    indexContentOffset: indexPlace.contentOffset,
    indexSizeBytes: indexSize,
    archiveSizeBytes: at + tailBytes,
    indexDigest: digestOf(indexBytes),
  }
  return {
    index,
    indexBytes,
    indexPlace,
    files: placedFiles,
    blobs,
    head: { kind: 'head', ...pointer },
    tail: { kind: 'tail', ...pointer },
    endBytes: at + tailBytes,
  }
}
