import { canonicalJson, type Json, limits, parseJson } from '#base/index.ts'
import { type Digest, isDigest, isMediaType, isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { formatVersion } from './format.ts'

/** A blob or manifest in the archive. */
export interface BlobEntry {
  readonly digest: Digest
  readonly size: number
  readonly mediaType: string
  /** Position in the file of the first block header of its content. */
  readonly offset: number
}

/** Any other file in the archive: bundle.json, the layout's own two. */
export interface FileEntry {
  readonly path: string
  readonly digest: Digest
  readonly size: number
  readonly offset: number
}

/** The archive's index: what is inside and where. Unknown members are ignored, unknown `requires` are not. */
export interface ArchiveIndex {
  readonly generation: number
  readonly files: readonly FileEntry[]
  readonly blobs: readonly BlobEntry[]
  /** Contents that manifests in here name and that were left out on purpose (platform filters). */
  readonly absent: readonly Digest[]
}

/** Features that a reader must know to read an archive; none exist yet beyond the format itself. */
const knownFeatures: ReadonlySet<string> = new Set()

export function formatIndex(index: ArchiveIndex): Uint8Array {
  return canonicalJson({ formatVersion, requires: [], ...index })
}

/** @throws ARCHIVE_INVALID, ARCHIVE_NEWER, and the codes of `parseJson` */
export function parseIndex(bytes: Uint8Array, archiveSizeBytes: number): ArchiveIndex {
  const body = parseJson(bytes, { maxBytes: limits.archiveIndexBytes })
  if (!isObject(body)) throw invalid('it is not an object')
  const { requires, generation, files, blobs, absent } = body
  if (body.formatVersion !== formatVersion) {
    throw failure('ARCHIVE_NEWER', `the archive has format version ${JSON.stringify(body.formatVersion)}`)
  }
  for (const feature of Array.isArray(requires) ? requires : []) {
    if (typeof feature !== 'string' || !knownFeatures.has(feature)) {
      throw failure('ARCHIVE_NEWER', `the archive needs the feature ${JSON.stringify(feature)}`)
    }
  }
  if (
    typeof generation !== 'number' ||
    !Array.isArray(files) ||
    !Array.isArray(blobs) ||
    !Array.isArray(absent)
  ) {
    throw invalid('generation, files, blobs or absent is missing')
  }
  if (files.length + blobs.length > limits.graphNodes) throw invalid('it has too many entries')
  if (!absent.every(isDigest)) throw invalid('an absent entry is not a digest')
  const parsed = {
    generation,
    files: files.map((entry) => fileEntry(entry, archiveSizeBytes)),
    blobs: blobs.map((entry) => blobEntry(entry, archiveSizeBytes)),
    absent,
  }
  if (new Set(parsed.blobs.map(({ digest }) => digest)).size !== parsed.blobs.length)
    throw invalid('a digest is twice in it')
  if (new Set(parsed.files.map(({ path }) => path)).size !== parsed.files.length)
    throw invalid('a path is twice in it')
  return parsed
}

function blobEntry(value: Json, archiveSizeBytes: number): BlobEntry {
  const place = placed(value, archiveSizeBytes)
  const { mediaType } = value as { mediaType?: Json }
  if (!isMediaType(mediaType)) throw invalid(`${place.digest} has no media type`)
  return { ...place, mediaType }
}

function fileEntry(value: Json, archiveSizeBytes: number): FileEntry {
  const place = placed(value, archiveSizeBytes)
  const { path } = value as { path?: Json }
  if (
    typeof path !== 'string' ||
    !/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(path) ||
    path.split('/').includes('..')
  ) {
    throw invalid(`a file has no safe path`)
  }
  return { ...place, path }
}

function placed(value: Json, archiveSizeBytes: number): { digest: Digest; size: number; offset: number } {
  if (!isObject(value)) throw invalid('an entry is not an object')
  const { digest, size, offset } = value
  if (!isDigest(digest)) throw invalid('an entry has no digest')
  if (!isCount(size) || !isCount(offset) || offset + size > archiveSizeBytes) {
    throw invalid(`${digest} does not lie inside the file`)
  }
  return { digest, size, offset }
}

const isCount = (value: Json | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

const invalid = (why: string) => failure('ARCHIVE_INVALID', `the archive's index is broken: ${why}`)
