import type { Json } from '#base/index.ts'

/** A text is not TOML, or says what JSON cannot. Only its line is told: it may hold secrets. */
export class NotToml extends Error {}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
}

const integer = /^[+-]?(?:0|[1-9](?:_?\d)*)$/
const otherBase = /^0(?:x[\dA-Fa-f](?:_?[\dA-Fa-f])*|o[0-7](?:_?[0-7])*|b[01](?:_?[01])*)$/
const float = /^[+-]?(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?$/
/** What no TOML text has anywhere: control characters but tab and newline. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u0008\u000b-\u001f\u007f]/

/** The letters of TOML: what stands between its brackets. Each step moves on, so that reading ends. */
export class TomlReader {
  readonly #text: string
  #at = 0

  /** @throws NotToml */
  constructor(text: string) {
    this.#text = text.replaceAll('\r\n', '\n')
    const bad = control.exec(this.#text)
    if (!bad && this.#text.isWellFormed()) return
    this.#at = bad?.index ?? 0
    throw this.wrong('there is a character that TOML does not have')
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  wrong(why: string): NotToml {
    const line = this.#text.slice(0, this.#at).split('\n').length
    return new NotToml(`line ${line}: ${why}`)
  }

  take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false
    this.#at += token.length
    return true
  }

  /** Spaces and tabs; and comments and newlines, where they may stand. */
  skipBlank(newlines: boolean): void {
    this.#match(newlines ? /(?:[ \t\n]|#[^\n]*)*/y : /[ \t]*/y)
  }

  endLine(): void {
    this.#match(/[ \t]*(?:#[^\n]*)?/y)
    if (!this.atEnd && !this.take('\n')) throw this.wrong('there is more on the line than belongs there')
  }

  key(): string {
    const key = this.take('"') ? this.#basic() : this.take("'") ? this.#literal() : this.#match(/[\w-]+/y)
    if (key === undefined) throw this.wrong('a key is missing')
    if (key === '__proto__') throw this.wrong('a key that cannot be one')
    return key
  }

  /** Text, a number, true or false. */
  scalar(): Json {
    if (this.take('"""')) return this.#lines('"""')
    if (this.take("'''")) return this.#lines("'''")
    if (this.take('"')) return this.#basic()
    if (this.take("'")) return this.#literal()
    const word = this.#match(/[\w.+:-]+/y) ?? ''
    if (word === 'true' || word === 'false') return word === 'true'
    const plain = word.replaceAll('_', '')
    const isInteger = integer.test(word) || otherBase.test(word)
    const value = isInteger || float.test(word) ? Number(plain) : Number.NaN
    if (!Number.isFinite(value) || (isInteger && !Number.isSafeInteger(value))) {
      throw this.wrong('a value is none that JSON has too')
    }
    return value === 0 ? 0 : value
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #literal(): string {
    const text = this.#match(/[^'\n]*/y)!
    if (!this.take("'")) throw this.wrong('a text has no end')
    return text
  }

  #basic(): string {
    const parts: string[] = []
    for (;;) {
      parts.push(this.#match(/[^"\\\n]*/y)!)
      if (this.take('"')) return parts.join('')
      if (!this.take('\\')) throw this.wrong('a text has no end')
      parts.push(this.#escape())
    }
  }

  /** Text over several lines: a first newline is none of it, and one or two quotes may stand before the end. */
  #lines(end: '"""' | "'''"): string {
    this.take('\n')
    const plain = end === '"""' ? /[^"\\]+/y : /[^']+/y
    const quote = end[0]!
    const parts: string[] = []
    while (!this.atEnd) {
      parts.push(this.#match(plain) ?? '')
      if (this.take(end)) {
        for (let more = 0; more < 2 && this.take(quote); more++) parts.push(quote)
        return parts.join('')
      }
      if (this.take(quote)) parts.push(quote)
      else if (this.take('\\') && !this.#match(/[ \t]*\n[ \t\n]*/y)) parts.push(this.#escape())
    }
    throw this.wrong('a text has no end')
  }

  #escape(): string {
    const hex = this.#match(/u[\dA-Fa-f]{4}|U[\dA-Fa-f]{8}/y)?.slice(1)
    if (hex !== undefined) {
      const point = Number.parseInt(hex, 16)
      if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        throw this.wrong('an escape names no character')
      }
      return String.fromCodePoint(point)
    }
    const letter = this.#text[this.#at] ?? ''
    if (!Object.hasOwn(escapes, letter)) throw this.wrong('an escape is none of TOML')
    this.#at++
    return escapes[letter]!
  }
}
