import { limits, parseJson } from '#base/index.ts'
import { type Descriptor, isObject, parseDescriptor } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { layoutPath } from './format.ts'
import { generationsOf } from './generations.ts'
import type { ArchiveReader } from './reader.ts'

const indexJson = `${layoutPath}/index.json`
const maxBytes = limits.archiveIndexBytes

/** The descriptors of the archive's index.json. @throws ARCHIVE_INVALID, CONTENT_DAMAGED */
export async function readRoots(reader: ArchiveReader): Promise<Descriptor[]> {
  return parseRoots(await reader.readFile(indexJson, maxBytes))
}

/**
 * What earlier generations named and the newest does not any more: tags that were given to something else since. The
 * archive keeps it all the same. @throws ARCHIVE_INVALID, CONTENT_DAMAGED
 */
export async function readEarlierRoots(reader: ArchiveReader): Promise<Descriptor[]> {
  const seen = new Set([reader.fileEntry(indexJson)?.digest])
  const roots: Descriptor[] = []
  for (const { index } of await generationsOf(reader)) {
    const entry = index.files.find(({ path }) => path === indexJson)
    if (!entry || seen.has(entry.digest)) continue
    seen.add(entry.digest)
    roots.push(...parseRoots(await reader.readEntry(entry, maxBytes)))
  }
  return roots
}

function parseRoots(bytes: Uint8Array): Descriptor[] {
  const body = parseJson(bytes, { maxBytes })
  if (!isObject(body) || !Array.isArray(body.manifests)) {
    throw failure('ARCHIVE_INVALID', 'index.json in the archive has no list of manifests')
  }
  return body.manifests.map(parseDescriptor)
}
