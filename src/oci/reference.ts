import { limits } from '#base/index.ts'
import { failure } from './codes.ts'
import { type Digest, isDigest } from './digest.ts'

declare const referenceBrand: unique symbol
/**
 * Where content lives: `registry` is HOST[:PORT], `repository` a path, and at least one of `tag` and `digest`
 * is there unless the text named neither. Minted only in this file.
 */
export interface Reference {
  readonly [referenceBrand]: true
  readonly registry: string
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

// distribution/reference, regexp.go.
const domainName = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*'
const domain = `(?:${domainName}|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`
const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const repositoryGrammar = new RegExp(`^${component}(?:/${component})*$`)
const domainGrammar = new RegExp(`^${domain}$`)
const tagGrammar = /^\w[\w.-]{0,127}$/

export const isRepositoryName = (text: string): boolean => text.length <= 255 && repositoryGrammar.test(text)
export const isTag = (text: string): boolean => tagGrammar.test(text)
export const isRegistryHost = (text: string): boolean => text.length <= 255 && domainGrammar.test(text)

/**
 * Parses a reference as distribution does: `nginx` is `docker.io/library/nginx`, `a/b` is `docker.io/a/b`, and a
 * first component is a host where it holds a dot, a colon or an upper-case letter, or is `localhost`.
 *
 * @throws REFERENCE_INVALID
 */
export function parseReference(text: string): Reference {
  const fail = (why: string) => {
    const shown = JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
    return failure('REFERENCE_INVALID', `${shown} is not a reference: ${why}`)
  }
  if (text.length > limits.referenceLength) throw fail('it is too long')
  let rest = text
  let digest: Digest | undefined
  const at = rest.indexOf('@')
  if (at >= 0) {
    const tail = rest.slice(at + 1)
    if (!isDigest(tail)) throw fail('what follows "@" is not a digest')
    digest = tail
    rest = rest.slice(0, at)
  }
  let tag: string | undefined
  const colon = rest.lastIndexOf(':')
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1)
    rest = rest.slice(0, colon)
    if (!isTag(tag)) throw fail('the tag is malformed')
  }
  const slash = rest.indexOf('/')
  const first = slash < 0 ? '' : rest.slice(0, slash)
  const isHost = slash >= 0 && (/[.:A-Z]/.test(first) || first === 'localhost')
  let registry = isHost ? first : 'docker.io'
  let repository = isHost ? rest.slice(slash + 1) : rest
  if (registry === 'index.docker.io') registry = 'docker.io'
  // A bare 64-digit name could be an image id as well (distribution/reference, ParseNormalizedNamed).
  if (!isHost && /^[0-9a-f]{64}$/.test(repository)) throw fail('it could be an image id as well')
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`
  if (!isRegistryHost(registry)) throw fail('the host is malformed')
  if (!isRepositoryName(repository))
    throw fail('the repository is malformed (lower case, digits, . _ - and /)')
  return mint(registry, repository, tag, digest)
}

/** A reference from parts that are already known to be good. @throws REFERENCE_INVALID */
export function makeReference(parts: {
  registry: string
  repository: string
  tag?: string | undefined
  digest?: Digest | undefined
}): Reference {
  const { registry, repository, tag, digest } = parts
  if (!isRegistryHost(registry) || !isRepositoryName(repository) || (tag !== undefined && !isTag(tag))) {
    const shown = JSON.stringify(`${registry}/${repository}${tag ? `:${tag}` : ''}`.slice(0, 200))
    throw failure('REFERENCE_INVALID', `${shown} is not a reference`)
  }
  return mint(registry, repository, tag, digest)
}

/** The whole form: HOST/REPOSITORY[:TAG][@DIGEST]. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

/**
 * The form that people write and Docker shows, without `docker.io/` and `library/`, where it means the same
 * reference (`docker.io/a.b/c` must not become the host `a.b`).
 */
export function familiarReference(reference: Reference): string {
  const whole = formatReference(reference)
  if (reference.registry !== 'docker.io') return whole
  const short = whole.slice('docker.io/'.length)
  for (const form of [short.replace(/^library\/(?=[^/]+$)/, ''), short]) {
    if (meansTheSame(form, whole)) return form
  }
  return whole
}

function meansTheSame(text: string, whole: string): boolean {
  try {
    return formatReference(parseReference(text)) === whole
  } catch {
    return false
  }
}

/** The same repository at another tag or digest. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return mint(reference.registry, reference.repository, undefined, digest)
}

function mint(
  registry: string,
  repository: string,
  tag: string | undefined,
  digest: Digest | undefined,
): Reference {
  return {
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  } as Reference
}
