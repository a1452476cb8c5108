import { type Digest, isDigest, isRepositoryName, isTag } from '#oci/index.ts'
import { refuse } from './codes.ts'

/** One request's resource, its parts parsed (distribution-spec, Endpoints). */
export type Route =
  | { readonly resource: 'base' }
  | { readonly resource: 'catalog' }
  | { readonly resource: 'health' }
  | { readonly resource: 'metrics' }
  | { readonly resource: 'blob'; readonly name: string; readonly digest: Digest }
  | { readonly resource: 'uploads'; readonly name: string }
  | { readonly resource: 'upload'; readonly name: string; readonly id: string }
  | {
      readonly resource: 'manifest'
      readonly name: string
      readonly reference: Digest | string
      readonly byDigest: boolean
    }
  | { readonly resource: 'tags'; readonly name: string }
  | { readonly resource: 'referrers'; readonly name: string; readonly digest: Digest }

const uploadId = /^[A-Za-z0-9-]{8,64}$/

/** @param path the request target up to the query. Unknown paths give undefined. @throws REQUEST_REFUSED */
export function parseRoute(path: string): Route | undefined {
  if (path === '/v2/' || path === '/v2') return { resource: 'base' }
  if (path === '/healthz') return { resource: 'health' }
  if (path === '/metrics') return { resource: 'metrics' }
  if (path === '/v2/_catalog') return { resource: 'catalog' }
  if (!path.startsWith('/v2/')) return undefined
  const parts = decode(path.slice('/v2/'.length)).split('/')
  const last = parts.at(-1) as string
  const before = parts.at(-2)
  const name = (count: number) => repositoryName(parts.slice(0, -count).join('/'))
  if (last === 'list' && before === 'tags') return { resource: 'tags', name: name(2) }
  if (before === 'manifests') {
    const byDigest = last.includes(':')
    if (byDigest) return { resource: 'manifest', name: name(2), reference: digest(last), byDigest }
    if (!isTag(last)) throw refuse(404, 'MANIFEST_UNKNOWN', 'the tag is malformed')
    return { resource: 'manifest', name: name(2), reference: last, byDigest }
  }
  if (before === 'referrers') return { resource: 'referrers', name: name(2), digest: digest(last) }
  if (parts.at(-3) === 'blobs' && before === 'uploads') {
    if (last === '') return { resource: 'uploads', name: name(3) }
    if (!uploadId.test(last)) throw refuse(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload')
    return { resource: 'upload', name: name(3), id: last }
  }
  if (before === 'blobs') {
    if (last === 'uploads') return { resource: 'uploads', name: name(2) }
    return { resource: 'blob', name: name(2), digest: digest(last) }
  }
  return undefined
}

/** Percent-encoding is undone once, and what only an attacker encodes is refused. */
function decode(path: string): string {
  if (!path.includes('%')) return path
  if (/%(2f|5c|00|25|2e)/i.test(path))
    throw refuse(400, 'NAME_INVALID', 'the path encodes what need not be encoded')
  try {
    return decodeURIComponent(path)
  } catch {
    throw refuse(400, 'NAME_INVALID', 'the path is not valid percent-encoding')
  }
}

function repositoryName(name: string): string {
  if (!isRepositoryName(name)) throw refuse(400, 'NAME_INVALID', 'the repository name is malformed')
  return name
}

function digest(text: string): Digest {
  if (!isDigest(text))
    throw refuse(400, 'DIGEST_INVALID', 'the digest is malformed or of an unknown algorithm')
  return text
}
