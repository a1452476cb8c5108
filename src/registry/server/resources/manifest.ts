import type { OutgoingHttpHeaders } from 'node:http'
import { bytesReader, type Repository } from '#content/index.ts'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  isManifestType,
  isTag,
  parseManifest,
} from '#oci/index.ts'
import { admit } from '../admission.ts'
import { authorize, type Context, type Resource, recordUse, storeToChange, storeToWrite } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { findReadable } from '../find-readable.ts'
import { promisedBytes, receiveBody } from '../receive-body.ts'
import { Refusal } from '../refusal.ts'
import { damagedRefusal } from '../verification.ts'
import { absentChildren } from './manifest-children.ts'
import { digestFrom, matchesEtag, namedIn, repositoryOf } from './parameters.ts'

/** distribution-spec, Pulling, Pushing and Deleting manifests. What is stored is never converted. */
export const manifest: Resource = {
  notFound: 'MANIFEST_UNKNOWN',
  methods: { GET: pull, PUT: push, DELETE: remove },
}

async function pull(context: Context, exchange: Exchange): Promise<void> {
  const reference = namedIn(exchange)
  const { repository, name, found, decision } = await findReadable(
    context,
    exchange,
    repositoryOf(exchange),
    'MANIFEST_UNKNOWN',
    (candidate) => find(candidate, reference),
  )
  const { digest, mediaType } = found
  const headers: OutgoingHttpHeaders = { 'Docker-Content-Digest': digest, ETag: `"${digest}"` }
  if (matchesEtag(exchange.request.headers['if-none-match'], digest)) return exchange.reply(304, headers)
  headers['Content-Type'] = mediaType
  if (exchange.method === 'HEAD') {
    exchange.head(200, found.size, headers)
    exchange.response.end()
    return
  }
  await admit(context, exchange, { name, repository, content: found })
  await recordUse(context, exchange, 'pull', { name, decision, digest })
  try {
    exchange.reply(200, headers, await context.manifests.read(repository, found, { signal: exchange.signal }))
  } catch (error) {
    throw context.verification.judge(error, name, digest, undefined) ? damagedRefusal(digest) : error
  }
}

/** A manifest by tag or digest; undefined where there is none, or where it is a blob. */
async function find(repository: Repository, reference: string): Promise<Descriptor | undefined> {
  const digest = reference.includes(':') ? digestFrom(reference) : undefined
  if (digest === undefined && !isTag(reference)) return undefined
  const found = digest === undefined ? await resolveTag(repository, reference) : await repository.find(digest)
  return found && isManifestType(found.mediaType) ? found : undefined
}

async function resolveTag(repository: Repository, tag: string): Promise<Descriptor | undefined> {
  try {
    return await repository.resolve(tag)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'CONTENT_NOT_FOUND') return undefined
    throw error
  }
}

async function push(context: Context, exchange: Exchange): Promise<void> {
  const name = repositoryOf(exchange)
  const reference = namedIn(exchange)
  const tags = tagsOf(context, exchange, reference)
  const expected = isDigest(reference) ? reference : undefined
  if (expected === undefined && reference.includes(':')) digestFrom(reference)
  const decision = await authorize(context, exchange, 'push', name)
  const store = await storeToWrite(context, name)
  const bytes = await receiveManifest(context, exchange)
  const parsed = parseManifest(bytes, offeredType(exchange))
  const digest = digestOf(bytes, expected && digestAlgorithm(expected))
  if (expected !== undefined && expected !== digest) {
    throw new Refusal(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}, not ${expected}`)
  }
  const absent = await absentChildren(store, parsed, context.sparse)
  await recordUse(context, exchange, 'push', { name, decision, digest })
  const content: Descriptor = { mediaType: parsed.mediaType, digest, size: bytes.length }
  await store.write(content, async (offset) => bytesReader(bytes.subarray(offset)), {
    signal: exchange.signal,
  })
  for (const tag of tags) await store.tag(content, tag)
  context.manifests.keep(digest, bytes)
  context.verification.forget(digest)
  exchange.reply(201, {
    Location: `/v2/${name}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(parsed.subject && { 'OCI-Subject': parsed.subject.digest }),
    ...(tags.length > 0 && exchange.query.has('tag') && { 'OCI-Tag': [...tags] }),
    ...(absent.length > 0 && {
      Warning: `299 - "${absent.length} of the contents that the manifest names are absent"`,
    }),
  })
}

/**
 * The tags that the manifest is to get: that in the path, and those of the parameters (distribution-spec, dev).
 * @throws Refusal 400, or 414 for too many
 */
function tagsOf({ limits }: Context, { query }: Exchange, reference: string): readonly string[] {
  const parameters = query.getAll('tag')
  if (parameters.length > limits.tagParameters) {
    throw new Refusal(414, 'UNSUPPORTED', `more than ${limits.tagParameters} tags at once`)
  }
  const tags = [...new Set(reference.includes(':') ? parameters : [reference, ...parameters])]
  for (const tag of tags) {
    if (!isTag(tag))
      throw new Refusal(400, 'MANIFEST_INVALID', 'a tag has letters, digits, _ . - and at most 128 of them')
  }
  return tags
}

/** Content-Type without its parameters; the body tells where there is none. */
function offeredType({ request }: Exchange): string | undefined {
  const type = request.headers['content-type']?.split(';')[0]?.trim()
  return type === '' ? undefined : type
}

/** Manifests are small and parsed whole: the one content that is held in memory. */
async function receiveManifest(context: Context, exchange: Exchange): Promise<Buffer> {
  const maxBytes = context.limits.manifestBytes
  const pieces: Buffer[] = []
  await receiveBody(exchange, {
    maxBytes,
    slowBodies: context.slowBodies,
    append: async (bytes) => void pieces.push(Buffer.from(bytes)),
  })
  if (pieces.length === 0 && promisedBytes(exchange) === 0) {
    throw new Refusal(400, 'MANIFEST_INVALID', 'there is no manifest in the request')
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

async function remove(context: Context, exchange: Exchange): Promise<void> {
  const name = repositoryOf(exchange)
  const reference = namedIn(exchange)
  const digest: Digest | undefined = reference.includes(':') ? digestFrom(reference) : undefined
  const decision = await authorize(context, exchange, 'delete', name)
  const store = await storeToChange(context, name, exchange)
  const found = await find(store, reference)
  if (found) await recordUse(context, exchange, 'delete', { name, decision, digest: found.digest })
  const deleted = found && (digest ? await store.delete(digest) : await store.untag(reference))
  if (!deleted) throw new Refusal(404, 'MANIFEST_UNKNOWN', `there is no manifest ${reference.slice(0, 140)}`)
  if (digest) context.verification.forget(digest)
  exchange.reply(202, {})
}
