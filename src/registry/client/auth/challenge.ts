import { limits } from '#base/index.ts'
import { failure } from '../codes.ts'

/** One way to authenticate that a server offers. */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string
  readonly token68?: string
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>
}

const separators = /[ \t,]*/y
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const spaces = / +/y
const token68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y
const parameterName = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*/y
// qdtext and quoted-pair of RFC 9110 section 5.6.4.
const quoted = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"/y
const parameterEnd = /[ \t]*(,[ \t,]*|$)/y

/**
 * The challenges of a WWW-Authenticate field, several lines of it joined by commas (RFC 9110 sections 11.2 to 11.6.1).
 *
 * @throws REGISTRY_ANSWER_INVALID
 */
export function parseChallenges(text: string, maxBytes: number = limits.challengeBytes): Challenge[] {
  if (text.length > maxBytes) {
    throw failure('REGISTRY_ANSWER_INVALID', `a WWW-Authenticate field is longer than ${maxBytes} bytes`)
  }
  const reader = new FieldReader(text)
  const challenges: Challenge[] = []
  for (reader.take(separators); !reader.atEnd; reader.take(separators)) {
    const scheme = reader.need(token)[0]!.toLowerCase()
    if (reader.take(spaces) === undefined) {
      reader.need(parameterEnd)
      challenges.push({ scheme, parameters: new Map() })
      continue
    }
    const bare = reader.take(token68)?.[0]
    const parameters = bare === undefined ? readParameters(reader) : new Map<string, string>()
    challenges.push({ scheme, ...(bare !== undefined && { token68: bare }), parameters })
  }
  return challenges
}

function readParameters(reader: FieldReader): Map<string, string> {
  const parameters = new Map<string, string>()
  for (;;) {
    // After a comma, `name =` goes on with this challenge; anything else begins the next one.
    const name = reader.take(parameterName)?.[1]?.toLowerCase()
    if (name === undefined) {
      if (parameters.size === 0) reader.need(parameterEnd)
      return parameters
    }
    const text = reader.take(quoted)
    const value = text ? text[1]!.replace(/\\(.)/g, '$1') : reader.need(token)[0]!
    if (parameters.has(name)) throw malformed(`it names "${name}" twice`)
    parameters.set(name, value)
    reader.need(parameterEnd)
  }
}

class FieldReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match) this.#at = pattern.lastIndex
    return match ?? undefined
  }

  need(pattern: RegExp): RegExpExecArray {
    const match = this.take(pattern)
    if (!match) throw malformed(`at character ${this.#at}`)
    return match
  }
}

const malformed = (why: string) =>
  failure('REGISTRY_ANSWER_INVALID', `a WWW-Authenticate field is malformed: ${why}`)
