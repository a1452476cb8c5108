import type { OutgoingHttpHeaders } from 'node:http'
import { isFailure } from '#base/index.ts'
import type { Upload } from '#content/index.ts'
import type { Digest } from '#oci/index.ts'
import { parseChunkRange } from '../byte-range.ts'
import { authorize, type Context, type Resource, storeToChange } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { promisedBytes, receiveBody } from '../receive-body.ts'
import { Refusal } from '../refusal.ts'
import type { UploadSession } from '../upload-sessions.ts'
import { digestFrom, namedIn, repositoryOf } from './parameters.ts'

/** distribution-spec, Pushing blobs: a push under way. */
export const upload: Resource = {
  notFound: 'BLOB_UPLOAD_UNKNOWN',
  methods: {
    async GET(context, exchange) {
      const session = await take(context, exchange)
      exchange.reply(204, progress(session.repository, session.upload))
    },
    async PATCH(context, exchange) {
      const session = await take(context, exchange)
      await session.use(
        () => exchange.breakOff(),
        async (open) => {
          await receiveInto(context, exchange, open)
          exchange.reply(202, progress(session.repository, open))
        },
      )
    },
    async PUT(context, exchange) {
      const digest = digestFrom(exchange.query.get('digest'))
      const session = await take(context, exchange)
      await session.use(
        () => exchange.breakOff(),
        async (open) => {
          await receiveInto(context, exchange, open)
          await finish(context, session, digest)
        },
      )
      created(exchange, session.repository, digest)
    },
    async DELETE(context, exchange) {
      const session = await take(context, exchange)
      await session.use(
        () => exchange.breakOff(),
        async (open) => {
          session.finishing()
          context.sessions.forget(session)
          await open.cancel()
        },
      )
      exchange.reply(204, {})
    },
  },
}

async function take(context: Context, exchange: Exchange): Promise<UploadSession> {
  const name = repositoryOf(exchange)
  await authorize(context, exchange, 'push', name)
  const store = await storeToChange(context, name, exchange)
  return await context.sessions.take(name, store, namedIn(exchange))
}

/** How far a push is. `Range` has no way to say 'nothing yet': 0-0 it is, as everybody does. */
export function progress(name: string, { id, offset }: Upload): OutgoingHttpHeaders {
  return {
    Location: `/v2/${name}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, offset - 1)}`,
    'Docker-Upload-UUID': id,
  }
}

export function created(exchange: Exchange, name: string, digest: Digest): void {
  exchange.reply(201, { Location: `/v2/${name}/blobs/${digest}`, 'Docker-Content-Digest': digest })
}

/**
 * Appends the body to the upload.
 * @throws Refusal 416 for a chunk out of order (the upload stays as it is), 400 for one of another length, 413
 */
export async function receiveInto(context: Context, exchange: Exchange, open: Upload): Promise<void> {
  const range = parseChunkRange(exchange.request.headers['content-range'])
  if (range === 'malformed') throw new Refusal(400, 'BLOB_UPLOAD_INVALID', 'Content-Range is malformed')
  if (range && range.offset !== open.offset) {
    const headers = progress(repositoryOf(exchange), open) as Record<string, string>
    throw new Refusal(
      416,
      'BLOB_UPLOAD_INVALID',
      `the next chunk begins at ${open.offset}, not at ${range.offset}`,
      { headers },
    )
  }
  const promised = promisedBytes(exchange)
  if (range && promised !== undefined && promised !== range.length) throw otherLength()
  const { slowBodies, limits } = context
  const received = await receiveBody(exchange, {
    maxBytes: Math.min(limits.uploadBytes - open.offset, range?.length ?? Number.MAX_SAFE_INTEGER),
    slowBodies,
    append: (bytes) => open.append(bytes),
  })
  if (range && received !== range.length) throw otherLength()
}

const otherLength = () =>
  new Refusal(400, 'SIZE_INVALID', 'the chunk is not as long as its Content-Range says')

/** Makes the blob visible. After a wrong digest the upload is gone; after other faults it can be tried again. */
export async function finish(context: Context, session: UploadSession, digest: Digest): Promise<void> {
  session.finishing()
  try {
    // Not stopped when the client goes away: what it has pushed whole is better kept.
    await session.upload.finish(digest)
    context.sessions.forget(session)
    context.verification.forget(digest)
  } catch (error) {
    if (isFailure(error, 'DIGEST_MISMATCH')) context.sessions.forget(session)
    else session.notFinished()
    throw error
  }
}
