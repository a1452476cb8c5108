import { isFailure } from '#base/index.ts'
import { bytesReader, parallel, readVerified, type Store } from '#content/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  isManifestType,
  isMediaType,
  isNonDistributable,
  isTag,
  type Manifest,
  parseManifest,
} from '#oci/index.ts'
import { noteDamage } from './blob.ts'
import { refuse } from './codes.ts'
import { contentHeaders, type Exchange, isUnchanged } from './exchange.ts'
import { readBody } from './read-body.ts'

/** distribution-spec, Pulling, Pushing and Deleting manifests. */
export async function manifest(exchange: Exchange, name: string, reference: string): Promise<void> {
  const { method } = exchange.request
  if (method === 'PUT') return put(exchange, name, reference)
  if (method === 'DELETE') return remove(exchange, name, reference)
  const repository = await exchange.repository(name)
  const content = await repository.resolve(reference, exchange).catch((error) => {
    throw isFailure(error, 'CONTENT_NOT_FOUND') ? unknownManifest(reference, error) : error
  })
  if (!isManifestType(content.mediaType)) throw unknownManifest(reference)
  const headers = contentHeaders(content)
  if (isUnchanged(exchange.request, content.digest)) {
    exchange.response.writeHead(304, headers).end()
    return
  }
  if (exchange.isHead) {
    exchange.response.writeHead(200, { ...headers, 'content-length': String(content.size) }).end()
    return
  }
  const bytes = await readVerified(repository, content, exchange.shared.limits.manifestBytes, exchange).catch(
    (error) => {
      throw noteDamage(exchange, content.digest, error)
    },
  )
  exchange.body(200, bytes, headers)
}

async function put(exchange: Exchange, name: string, reference: string): Promise<void> {
  const store = await exchange.store(name, true)
  const tags = tagsOf(exchange, reference)
  const bytes = await readBody(exchange, exchange.shared.limits.manifestBytes)
  const digest = digestFor(bytes, reference)
  const parsed = parse(bytes, exchange.request.headers['content-type'])
  await assertChildren(exchange, store, parsed)
  const content = { mediaType: parsed.mediaType, digest, size: bytes.length }
  await store.write(content, async (offset) => bytesReader(bytes.subarray(offset)), exchange)
  exchange.shared.damage.forget(digest)
  for (const tag of tags) await store.tag(content, tag, exchange)
  exchange.empty(201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(parsed.subject && { 'oci-subject': parsed.subject.digest }),
    ...(exchange.query.has('tag') && { 'oci-tag': tags }),
  })
}

/** The tag of the path, or those of `?tag=` beside a digest. @throws REQUEST_REFUSED */
function tagsOf(exchange: Exchange, reference: string): string[] {
  if (!isDigest(reference)) return [reference]
  const tags = exchange.query.getAll('tag')
  const { tagsPerPush } = exchange.shared.limits
  if (tags.length > tagsPerPush)
    throw refuse(414, 'MANIFEST_INVALID', `more than ${tagsPerPush} tags in one push`)
  if (!tags.every(isTag)) throw refuse(400, 'MANIFEST_INVALID', 'a tag is malformed')
  return tags
}

function digestFor(bytes: Uint8Array, reference: string): Digest {
  if (!isDigest(reference)) return digestOf(bytes)
  const digest = digestOf(bytes, digestAlgorithm(reference))
  if (digest !== reference) throw refuse(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}`)
  return digest
}

function parse(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const mediaType = contentType?.split(';')[0]?.trim()
  if (!isMediaType(mediaType))
    throw refuse(400, 'MANIFEST_INVALID', 'the Content-Type is missing or malformed')
  try {
    return parseManifest(bytes, mediaType)
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw refuse(400, 'MANIFEST_INVALID', cause.message, { cause })
  }
}

/**
 * What an image names must be here, foreign layers apart. The children of an index may be absent (image-spec 1.1,
 * sparse indexes), and so may a subject (distribution-spec, Pushing Manifests with Subject).
 */
async function assertChildren(exchange: Exchange, store: Store, manifest: Manifest): Promise<void> {
  if (manifest.kind === 'index') return
  const needed = childrenOf(manifest).filter(({ mediaType }) => !isNonDistributable(mediaType))
  const missing: Descriptor[] = []
  await parallel(needed, 16, async (child) => {
    if (!(await store.find(child.digest, exchange))) missing.push(child)
  })
  if (missing.length === 0) return
  throw refuse(404, 'MANIFEST_BLOB_UNKNOWN', `the manifest names ${missing.length} blobs that are not here`, {
    detail: { missing: missing.slice(0, 100).map(({ digest }) => digest) },
  })
}

async function remove(exchange: Exchange, name: string, reference: string): Promise<void> {
  const store = await exchange.store(name, false)
  const gone = isDigest(reference) ? await store.delete(reference) : await store.untag(reference)
  if (!gone) throw unknownManifest(reference)
  exchange.empty(202)
}

const unknownManifest = (reference: string, cause?: unknown) =>
  refuse(404, 'MANIFEST_UNKNOWN', `there is no manifest ${reference}`, { cause })
