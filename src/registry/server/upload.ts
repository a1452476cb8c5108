import { isFailure } from '#base/index.ts'
import type { Upload } from '#content/index.ts'
import { type Digest, isDigest, isRepositoryName } from '#oci/index.ts'
import { refuse } from './codes.ts'
import type { Exchange } from './exchange.ts'
import { parseChunkRange } from './range.ts'

/** distribution-spec, Pushing a blob: begins an upload, mounts from a neighbour, or takes a whole blob at once. */
export async function uploads(exchange: Exchange, name: string): Promise<void> {
  const store = await exchange.store(name, true)
  const mount = exchange.query.get('mount')
  if (mount !== null) {
    const from = exchange.query.get('from') ?? undefined
    if (!isDigest(mount)) throw refuse(400, 'DIGEST_INVALID', 'the digest to mount is malformed')
    if (from !== undefined && !isRepositoryName(from))
      throw refuse(400, 'NAME_INVALID', 'the name to mount from is malformed')
    if (await store.mount(mount, from)) return created(exchange, name, mount)
  }
  await using upload = await store.beginUpload()
  if (exchange.query.has('digest') && mount === null) return finish(exchange, name, upload)
  // A small body without a digest is nobody's; it is left unread.
  exchange.empty(202, whereabouts(name, upload))
}

/** GET, PATCH, PUT and DELETE of an upload in progress. */
export async function upload(exchange: Exchange, name: string, id: string): Promise<void> {
  const store = await exchange.store(name, false)
  await exchange.shared.uploadLocks.hold(id, async () => {
    await using held = await store.upload(id)
    if (!held) throw refuse(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload')
    switch (exchange.request.method) {
      case 'GET':
      case 'HEAD':
        exchange.empty(204, whereabouts(name, held))
        return
      case 'PATCH':
        await append(exchange, name, held)
        exchange.empty(202, whereabouts(name, held))
        return
      case 'PUT':
        await finish(exchange, name, held)
        return
      default:
        await held.cancel()
        exchange.empty(204)
    }
  })
}

async function finish(exchange: Exchange, name: string, upload: Upload): Promise<void> {
  const digest = exchange.query.get('digest')
  if (!isDigest(digest)) throw refuse(400, 'DIGEST_INVALID', 'the digest is missing or malformed')
  await append(exchange, name, upload)
  try {
    await upload.finish(digest, exchange)
  } catch (cause) {
    if (!isFailure(cause, 'DIGEST_MISMATCH')) throw cause
    throw refuse(400, 'DIGEST_INVALID', cause.message, { cause })
  }
  exchange.shared.damage.forget(digest)
  created(exchange, name, digest)
}

/** Takes the body at the upload's offset; a Content-Range must begin there. @throws REQUEST_REFUSED */
async function append(exchange: Exchange, name: string, upload: Upload): Promise<void> {
  const { request } = exchange
  const header = request.headers['content-range']
  const chunk = header === undefined ? undefined : parseChunkRange(header)
  if (chunk && chunk.start !== upload.offset) {
    throw refuse(
      416,
      'BLOB_UPLOAD_INVALID',
      `the chunk begins at ${chunk.start}, the upload is at ${upload.offset}`,
      {
        headers: whereabouts(name, upload),
      },
    )
  }
  const announced = request.headers['content-length']
  if (chunk && announced !== undefined && Number(announced) !== chunk.length) {
    throw refuse(400, 'SIZE_INVALID', 'Content-Length and Content-Range disagree')
  }
  const { blobBytes } = exchange.shared.limits
  if (upload.offset + Number(announced ?? 0) > blobBytes) throw tooLarge(blobBytes)
  for await (const bytes of request as AsyncIterable<Buffer>) {
    if (upload.offset + bytes.length > blobBytes) throw tooLarge(blobBytes)
    exchange.shared.metrics.bytesIn += bytes.length
    await upload.append(bytes)
  }
}

function created(exchange: Exchange, name: string, digest: Digest): void {
  exchange.empty(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
}

const whereabouts = (name: string, { id, offset }: Upload): Record<string, string> => ({
  location: `/v2/${name}/blobs/uploads/${id}`,
  range: `0-${Math.max(0, offset - 1)}`,
  'docker-upload-uuid': id,
})

const tooLarge = (maxBytes: number) =>
  refuse(413, 'SIZE_INVALID', `a blob may have at most ${maxBytes} bytes`)
