import { type BrokerServerLimits, brokerServerLimits } from '#base/index.ts'
import { failure } from '../codes.ts'

/** The two parts of what a request line asks for, as sent. */
export interface Target {
  readonly path: string
  /** Behind `?`; empty where there is none. */
  readonly query: string
}

/** What can stand in a request target (RFC 3986): visible ASCII that is no delimiter of texts around it. */
const targetForm = /^\/[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~[\]]*$/

/**
 * The target of a request: a path (RFC 9112 section 3.2.1), or a whole URI, whose authority says nothing here (3.2.2).
 *
 * @throws BROKER_TARGET_INVALID
 */
export function parseTarget(text: string, limits: BrokerServerLimits = brokerServerLimits): Target {
  if (text.length > limits.targetLength) {
    throw invalid(`it has ${text.length} characters, the limit is ${limits.targetLength}`)
  }
  const target = text.startsWith('/') ? text : behindAuthority(text)
  if (!targetForm.test(target)) throw invalid('it is not a path with a query')
  const mark = target.indexOf('?')
  return mark < 0
    ? { path: target, query: '' }
    : { path: target.slice(0, mark), query: target.slice(mark + 1) }
}

function behindAuthority(text: string): string {
  const authority = /^https?:\/\/[^/?#]+/i.exec(text)?.[0]
  if (authority === undefined) return ''
  const rest = text.slice(authority.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const refusedInName = /[\u0000-\u001f\u007f-\u009f/]/

/**
 * The names of a path, behind its prefix, each decoded by itself: none empty, none that means another place, and no
 * slash or control character that was hidden by encoding. Nothing at all is no name.
 *
 * @throws BROKER_TARGET_INVALID
 */
export function parseNames(path: string, limits: BrokerServerLimits = brokerServerLimits): readonly string[] {
  if (path === '') return []
  const names = path.split('/', limits.pathNames + 1)
  if (names.length > limits.pathNames) throw invalid(`it has more than ${limits.pathNames} names`)
  for (const [at, text] of names.entries()) {
    const name = text.includes('%') ? decoded(text, invalid) : text
    if (name === '' || name === '.' || name === '..') throw invalid('one of its names is empty or dots alone')
    if (name.length > limits.pathNameLength) {
      throw invalid(`one of its names has ${name.length} characters, the limit is ${limits.pathNameLength}`)
    }
    if (refusedInName.test(name)) throw invalid('one of its names holds a slash or a control character')
    names[at] = name
  }
  return names
}

const empty: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/**
 * The parameters of a query, as forms are written (`+` is a space) and as Trustee reads them: the last of duplicates
 * wins, and `a[]` is a name like any other. The record has no prototype, so that `__proto__` is a name too.
 *
 * @throws BROKER_QUERY_INVALID
 */
export function parseQuery(
  text: string,
  limits: BrokerServerLimits = brokerServerLimits,
): Readonly<Record<string, string>> {
  if (text === '') return empty
  const pairs = text.split('&', limits.queryParameters + 1)
  if (pairs.length > limits.queryParameters) {
    throw refused(`it has more than ${limits.queryParameters} parameters`)
  }
  const query: Record<string, string> = Object.create(null)
  for (const pair of pairs) {
    if (pair === '') continue
    const mark = pair.indexOf('=')
    const name = formDecoded(mark < 0 ? pair : pair.slice(0, mark))
    const value = mark < 0 ? '' : formDecoded(pair.slice(mark + 1))
    if (name === '') throw refused('one of its parameters has no name')
    if (name.length > limits.queryLength || value.length > limits.queryLength) {
      throw refused(`a name or a value in it is over ${limits.queryLength} characters`)
    }
    query[name] = value
  }
  return query
}

const formDecoded = (text: string) => {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  return spaced.includes('%') ? decoded(spaced, refused) : spaced
}

/** Strict: every `%` has its two digits, and the bytes are UTF-8 in its shortest form. */
function decoded(text: string, refuse: (why: string) => Error): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse('its percent-encoding is not of UTF-8')
  }
}

// The text itself is not told: it may hold what should not be in a log.
const invalid = (why: string) => failure('BROKER_TARGET_INVALID', `the path is not taken: ${why}`)
const refused = (why: string) => failure('BROKER_QUERY_INVALID', `the query is not taken: ${why}`)
