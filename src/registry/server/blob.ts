import { isFailure } from '#base/index.ts'
import { type Repository, verifying } from '#content/index.ts'
import { type Descriptor, type Digest, isManifestType } from '#oci/index.ts'
import { refuse } from './codes.ts'
import { contentHeaders, type Exchange, isUnchanged } from './exchange.ts'
import { parseRange } from './range.ts'
import { sendBody } from './send.ts'

/** distribution-spec, Pulling blobs and Deleting Blobs. */
export async function blob(exchange: Exchange, name: string, digest: Digest): Promise<void> {
  if (exchange.request.method === 'DELETE') return deleteBlob(exchange, name, digest)
  const repository = await exchange.repository(name)
  const found = await repository.find(digest, exchange)
  if (!found) throw refuse(404, 'BLOB_UNKNOWN', `there is no blob ${digest}`)
  if (exchange.shared.damage.isDamaged(digest)) throw damagedRefusal(digest)
  const content = isManifestType(found.mediaType)
    ? { ...found, mediaType: 'application/octet-stream' }
    : found
  const headers = { ...contentHeaders(content), 'accept-ranges': 'bytes' }
  if (isUnchanged(exchange.request, digest)) {
    exchange.response.writeHead(304, headers).end()
    return
  }
  const range = parseRange(exchange.request.headers.range, content.size)
  const length = range?.length ?? content.size
  const status = range ? 206 : 200
  const rangeHeader = range && {
    'content-range': `bytes ${range.offset}-${range.offset + length - 1}/${content.size}`,
  }
  if (exchange.isHead) {
    exchange.response
      .writeHead(status, { ...headers, ...rangeHeader, 'content-length': String(length) })
      .end()
    return
  }
  // A part says nothing of the whole: before one is given out, the whole is verified, once.
  if (range && !exchange.shared.damage.isVerified(digest)) await verifyWhole(exchange, repository, found)
  const verify = exchange.shared.damage.isVerified(digest) ? undefined : found
  const reader = await repository.open(found, range, exchange)
  exchange.response.writeHead(status, { ...headers, ...rangeHeader, 'content-length': String(length) })
  try {
    exchange.bytesOut += await sendBody(exchange.response, reader, verify)
    if (verify) exchange.shared.damage.verified(digest)
  } catch (error) {
    // The head is out: to break the connection off is the only way to say that this is not the content.
    exchange.response.destroy()
    throw noteDamage(exchange, digest, error)
  }
}

async function deleteBlob(exchange: Exchange, name: string, digest: Digest): Promise<void> {
  const store = await exchange.store(name, false)
  if (!(await store.delete(digest))) throw refuse(404, 'BLOB_UNKNOWN', `there is no blob ${digest}`)
  exchange.empty(202)
}

async function verifyWhole(exchange: Exchange, repository: Repository, content: Descriptor): Promise<void> {
  const reader = verifying(await repository.open(content, undefined, exchange), content)
  const buffer = Buffer.allocUnsafe(256 * 1024)
  try {
    while ((await reader.read(buffer)) > 0) exchange.signal.throwIfAborted()
    exchange.shared.damage.verified(content.digest)
  } catch (error) {
    throw noteDamage(exchange, content.digest, error)
  } finally {
    await reader.close()
  }
}

export function noteDamage(exchange: Exchange, digest: Digest, error: unknown): unknown {
  if (!isFailure(error, 'DIGEST_MISMATCH') && !isFailure(error, 'SIZE_MISMATCH')) return error
  exchange.shared.damage.damaged(digest)
  return damagedRefusal(digest, error)
}

const damagedRefusal = (digest: Digest, cause?: unknown) =>
  refuse(500, 'UNKNOWN', `the stored content ${digest} is damaged and is not served`, { cause })
