import { isRepositoryName } from '#oci/index.ts'

/** Where a request goes (distribution-spec, Endpoints). `reference` and `digest` are as the client wrote them. */
export type Route =
  | { readonly resource: 'health' | 'metrics' | 'base' | 'catalog' | 'unknown' }
  | { readonly resource: 'badName'; readonly repository: string }
  | { readonly resource: 'tags' | 'uploads'; readonly repository: string }
  | { readonly resource: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly resource: 'blob' | 'referrers'; readonly repository: string; readonly digest: string }
  | { readonly resource: 'upload'; readonly repository: string; readonly id: string }

export type Resource = Route['resource']

/** A request target in its two parts; the query is without its question mark. */
export interface Target {
  readonly route: Route
  readonly query: string
}

/**
 * Reads a request target (RFC 9112 section 3.2: the origin form, or the absolute form of proxies). Never throws:
 * what is no route is `unknown`, what is a route with a malformed repository `badName`.
 *
 * Repository names hold slashes, and any word between them ('blobs', 'tags'), so a path is read from its end. It
 * is cut at slashes before it is decoded: an encoded slash never makes a component.
 */
export function parseTarget(target: string): Target {
  let path = target
  if (!path.startsWith('/')) path = path.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = path.indexOf('?')
  const query = mark < 0 ? '' : path.slice(mark + 1)
  return { route: parsePath(mark < 0 ? path : path.slice(0, mark)), query }
}

const unknown: Route = { resource: 'unknown' }

function parsePath(path: string): Route {
  if (!path.startsWith('/v2')) {
    if (path === '/healthz') return { resource: 'health' }
    return path === '/metrics' ? { resource: 'metrics' } : unknown
  }
  if (path === '/v2/' || path === '/v2') return { resource: 'base' }
  if (path === '/v2/_catalog') return { resource: 'catalog' }
  const parts = decode(path)
  if (parts === undefined || parts[1] !== 'v2') return unknown
  const last = parts.at(-1)!
  const before = parts.at(-2)
  if (last === 'list' && before === 'tags')
    return named(parts, 2, (repository) => ({ resource: 'tags', repository }))
  if (before === 'manifests')
    return named(parts, 2, (repository) => ({ resource: 'manifest', repository, reference: last }))
  if (before === 'referrers')
    return named(parts, 2, (repository) => ({ resource: 'referrers', repository, digest: last }))
  if (before === 'uploads' && parts.at(-3) === 'blobs') {
    if (last === '') return named(parts, 3, (repository) => ({ resource: 'uploads', repository }))
    return named(parts, 3, (repository) => ({ resource: 'upload', repository, id: last }))
  }
  if (before !== 'blobs') return unknown
  if (last === 'uploads') return named(parts, 2, (repository) => ({ resource: 'uploads', repository }))
  return named(parts, 2, (repository) => ({ resource: 'blob', repository, digest: last }))
}

function decode(path: string): string[] | undefined {
  if (!path.includes('%')) return path.split('/')
  try {
    return path.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}

/** The repository is all between `/v2/` and the last `tail` parts; the grammar leaves no room for '..' or ''. */
function named(parts: readonly string[], tail: number, make: (repository: string) => Route): Route {
  const components = parts.slice(2, parts.length - tail)
  const repository = components.join('/')
  // A decoded slash would join two components: each is looked at by itself.
  const whole = components.every((component) => !component.includes('/'))
  return whole && isRepositoryName(repository) ? make(repository) : { resource: 'badName', repository }
}
