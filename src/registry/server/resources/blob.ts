import type { OutgoingHttpHeaders } from 'node:http'
import type { Repository } from '#content/index.ts'
import { type Descriptor, isManifestType, mediaTypes } from '#oci/index.ts'
import { admit } from '../admission.ts'
import { contentRange, parseRange, type SatisfiableRange } from '../byte-range.ts'
import { authorize, type Context, type Resource, recordUse, storeToChange } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { findReadable } from '../find-readable.ts'
import { Refusal } from '../refusal.ts'
import { sendContent } from '../send-content.ts'
import { damagedRefusal, type Stamped } from '../verification.ts'
import { digestFrom, matchesEtag, namedIn, repositoryOf } from './parameters.ts'

interface Found {
  readonly repository: Repository
  readonly name: string
  readonly content: Descriptor
  readonly stamp: string | undefined
}

/** distribution-spec, Pulling blobs, and deleting them. */
export const blob: Resource = {
  notFound: 'BLOB_UNKNOWN',
  methods: {
    GET: pull,
    async DELETE(context, exchange) {
      const name = repositoryOf(exchange)
      const digest = digestFrom(namedIn(exchange))
      const decision = await authorize(context, exchange, 'delete', name)
      const store = await storeToChange(context, name, exchange)
      const content = await store.find(digest)
      if (content && isManifestType(content.mediaType)) {
        throw new Refusal(405, 'UNSUPPORTED', 'it is a manifest: delete it as one', {
          headers: { Allow: 'GET, HEAD' },
        })
      }
      await recordUse(context, exchange, 'delete', { name, decision, digest })
      const deleted = await store.delete(digest)
      context.verification.forget(digest)
      if (!deleted) throw new Refusal(404, 'BLOB_UNKNOWN', `there is no blob ${digest}`)
      exchange.reply(202, { 'Docker-Content-Digest': digest })
    },
  },
}

async function pull(context: Context, exchange: Exchange): Promise<void> {
  const digest = digestFrom(namedIn(exchange))
  const { repository, name, found, decision } = await findReadable(
    context,
    exchange,
    repositoryOf(exchange),
    'BLOB_UNKNOWN',
    (candidate) => candidate.find(digest),
  )
  const stamp = 'stamp' in repository ? await (repository as Repository & Stamped).stamp(digest) : undefined
  if (context.verification.isGood(digest, stamp) === false) throw damagedRefusal(digest)
  const headers: OutgoingHttpHeaders = {
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    // Content named by its digest never changes.
    'Cache-Control': 'max-age=31536000, immutable',
    ETag: `"${digest}"`,
  }
  const { request } = exchange
  if (matchesEtag(request.headers['if-none-match'], digest)) return exchange.reply(304, headers)
  headers['Content-Type'] = mediaTypes.octets
  // Somebody's HTML must not become a page of ours.
  headers['X-Content-Type-Options'] = 'nosniff'
  const range = wantedRange(exchange, found)
  if (range === 'unsatisfiable') {
    throw new Refusal(416, 'SIZE_INVALID', 'the range is not within the blob', {
      headers: { 'Content-Range': `bytes */${found.size}` },
    })
  }
  if (exchange.method === 'HEAD') {
    exchange.head(200, found.size, headers)
    exchange.response.end()
    return
  }
  await admit(context, exchange, { name, repository, content: found })
  await recordUse(context, exchange, 'pull', { name, decision, digest })
  await send(context, exchange, { repository, name, content: found, stamp }, range, headers)
}

/** RFC 9110 section 13.1.5: with an If-Range that names another content there is no range. */
function wantedRange(
  exchange: Exchange,
  content: Descriptor,
): SatisfiableRange | 'unsatisfiable' | undefined {
  const { headers } = exchange.request
  if (exchange.method === 'HEAD' || headers.range === undefined) return undefined
  const condition = headers['if-range']
  if (condition !== undefined && condition !== `"${content.digest}"`) return undefined
  return parseRange(headers.range, content.size)
}

async function send(
  { verification, buffers }: Context,
  exchange: Exchange,
  { repository, name, content, stamp }: Found,
  range: SatisfiableRange | undefined,
  headers: OutgoingHttpHeaders,
): Promise<void> {
  const { digest, size } = content
  const { signal } = exchange
  // A part cannot be checked by itself: the whole is, before.
  if (range) await verification.whole(repository, name, content, stamp)
  const reader = await repository.open(content, range, { signal })
  const guard = verification.isGood(digest, stamp)
    ? undefined
    : verification.guard(repository, name, content, stamp)
  try {
    const lengthBytes = range?.length ?? size
    if (range) exchange.head(206, lengthBytes, { ...headers, 'Content-Range': contentRange(range, size) })
    else exchange.head(200, lengthBytes, headers)
    await sendContent(exchange, buffers, { reader, digest, lengthBytes, guard })
  } catch (error) {
    throw verification.judge(error, name, digest, stamp) ? damagedRefusal(digest) : error
  } finally {
    guard?.release()
    await reader.close()
  }
}
