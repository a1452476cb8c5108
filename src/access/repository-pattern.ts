import { isRegistryHost, isRepositoryName } from '#oci/index.ts'

/**
 * Whether this is a pattern: a repository's name in which a whole segment may be `*`, and the last one `**`. A first
 * segment may be a registry, as in the names of a mirror.
 */
export function isRepositoryPattern(pattern: string): boolean {
  if (pattern.length > 255) return false
  const segments = pattern.split('/')
  if (segments.slice(0, -1).includes('**')) return false
  // Stars stand where a name would: with one in their place the rest must be one.
  return isName(segments.map((segment) => (segment === '*' || segment === '**' ? 'x' : segment)).join('/'))
}

/** The segments of a repository's name; undefined for a name that is none, which no pattern ever matches. */
export const segmentsOf = (repository: string): readonly string[] | undefined =>
  isName(repository) ? repository.split('/') : undefined

/** Whether a name has this pattern, in time that grows with its length alone. */
export function matchesPattern(pattern: string, segments: readonly string[]): boolean {
  const wanted = pattern.split('/')
  const isOpen = wanted.at(-1) === '**'
  if (isOpen ? segments.length < wanted.length : segments.length !== wanted.length) return false
  const fixed = isOpen ? wanted.slice(0, -1) : wanted
  return fixed.every((segment, at) => segment === '*' || segment === segments[at])
}

/** A name of distribution-spec, or one below a registry in lower case (`ghcr.io/shop/web`, `localhost:5000/web`). */
function isName(name: string): boolean {
  if (isRepositoryName(name)) return true
  const slash = name.indexOf('/')
  const host = name.slice(0, Math.max(0, slash))
  return isRegistryHost(host) && host === host.toLowerCase() && isRepositoryName(name.slice(slash + 1))
}
