import { limits, parseJson } from '#base/index.ts'
import { type Descriptor, isObject, parseDescriptor } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { layoutPath } from './format.ts'
import type { ArchiveReader } from './reader.ts'

/** The descriptors of the archive's index.json. @throws ARCHIVE_INVALID, CONTENT_DAMAGED */
export async function readRoots(reader: ArchiveReader): Promise<Descriptor[]> {
  const maxBytes = limits.archiveIndexBytes
  const body = parseJson(await reader.readFile(`${layoutPath}/index.json`, maxBytes), { maxBytes })
  if (!isObject(body) || !Array.isArray(body.manifests)) {
    throw failure('ARCHIVE_INVALID', 'index.json in the archive has no list of manifests')
  }
  return body.manifests.map(parseDescriptor)
}
