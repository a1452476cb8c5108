/** A text is not XML of the kind that is read here. */
export class NotXml extends Error {}

/** One element, by its names as namespaces make them. */
export interface XmlElement {
  readonly namespace: string
  readonly name: string
  /** By name; those with a prefix by `{namespace}name`. */
  readonly attributes: ReadonlyMap<string, string>
  /** How many elements are around it. */
  readonly depth: number
}

// NCName in the letters that manifests use; what lies beyond is refused, not misread.
const name = '[A-Za-z_][\\w.-]*'
const tag = new RegExp(`(/?)((?:${name}:)?${name})`, 'y')
const attribute = new RegExp(`\\s+((?:${name}:)?${name})\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`, 'y')
const tagEnd = /\s*(\/?)>/y
const entity = /&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([\dA-Fa-f]{1,6}));|&/g
const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

const xmlNamespace = 'http://www.w3.org/XML/1998/namespace'
const mostAttributes = 256

/**
 * The elements of an XML document in the order in which they begin, with namespaces; text between them is passed
 * over. There are no document types, so no entities but the five, and nothing that grows while it is read.
 *
 * @throws NotXml, while it is iterated
 */
export function* xmlElements(text: string, maxDepth: number): Generator<XmlElement> {
  const open: { readonly tag: string; readonly scope: ReadonlyMap<string, string> }[] = []
  let scope: ReadonlyMap<string, string> = new Map([['xml', xmlNamespace]])
  let roots = 0
  for (let at = nextTag(text, 0, true); at < text.length; at = nextTag(text, at, open.length === 0)) {
    const skipped = skipMarkup(text, at)
    if (skipped !== undefined) {
      at = skipped
      continue
    }
    const [, closing, qualified = ''] = match(tag, text, at + 1)
    at = tag.lastIndex
    if (closing) {
      const last = open.pop()
      if (last?.tag !== qualified) throw new NotXml('an end tag has no start')
      at = matchEnd(text, at)
      scope = open.at(-1)?.scope ?? new Map([['xml', xmlNamespace]])
      continue
    }
    if (open.length >= maxDepth) throw new NotXml('it is nested too deeply')
    if (open.length === 0 && ++roots > 1) throw new NotXml('it has two roots')
    const raw = new Map<string, string>()
    for (attribute.lastIndex = at; ; ) {
      const found = attribute.exec(text)
      if (!found) break
      at = attribute.lastIndex
      const [, key = '', double, single] = found
      if (raw.has(key) || raw.size >= mostAttributes) throw new NotXml('an attribute is there twice')
      raw.set(key, unescaped(double ?? single ?? ''))
    }
    const inner = scopeOf(raw, scope)
    tagEnd.lastIndex = at
    const end = tagEnd.exec(text)
    if (!end) throw new NotXml('a tag has no end')
    at = tagEnd.lastIndex
    yield { ...resolved(qualified, inner, true), attributes: attributesOf(raw, inner), depth: open.length }
    if (end[1] !== '/') {
      open.push({ tag: qualified, scope: inner })
      scope = inner
    }
  }
  if (open.length > 0 || roots !== 1) throw new NotXml('it is not one whole element')
}

/** Where the next markup is; outside of the root only blanks may stand before it. */
function nextTag(text: string, from: number, isOutside: boolean): number {
  const found = text.indexOf('<', from)
  const at = found === -1 ? text.length : found
  if (isOutside && text.slice(from, at).trim() !== '') throw new NotXml('there is text outside of the root')
  return at
}

/** Past a comment, CDATA or processing instruction; a document type is refused. */
function skipMarkup(text: string, at: number): number | undefined {
  for (const [start, end] of [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<?', '?>'],
  ] as const) {
    if (!text.startsWith(start, at)) continue
    const found = text.indexOf(end, at + start.length)
    if (found === -1) throw new NotXml(`${start} has no end`)
    return found + end.length
  }
  if (text.startsWith('<!', at)) throw new NotXml('it has a document type')
  return undefined
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray {
  pattern.lastIndex = at
  const found = pattern.exec(text)
  if (!found) throw new NotXml('a tag has no name')
  return found
}

function matchEnd(text: string, at: number): number {
  tagEnd.lastIndex = at
  const end = tagEnd.exec(text)
  if (!end || end[1] === '/') throw new NotXml('an end tag is malformed')
  return tagEnd.lastIndex
}

function unescaped(text: string): string {
  return text.replaceAll(entity, (whole, short: string | undefined, decimal, hex) => {
    if (whole === '&') throw new NotXml('an entity is not known')
    if (short !== undefined) return named[short]!
    const point = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      throw new NotXml('a reference names no character')
    }
    return String.fromCodePoint(point)
  })
}

function scopeOf(raw: ReadonlyMap<string, string>, outer: ReadonlyMap<string, string>) {
  let scope: Map<string, string> | undefined
  for (const [key, value] of raw) {
    if (key !== 'xmlns' && !key.startsWith('xmlns:')) continue
    scope ??= new Map(outer)
    scope.set(key === 'xmlns' ? '' : key.slice('xmlns:'.length), value)
  }
  return scope ?? outer
}

function resolved(qualified: string, scope: ReadonlyMap<string, string>, takesDefault: boolean) {
  const colon = qualified.indexOf(':')
  if (colon === -1) return { namespace: takesDefault ? (scope.get('') ?? '') : '', name: qualified }
  const namespace = scope.get(qualified.slice(0, colon))
  if (namespace === undefined) throw new NotXml('a prefix has no namespace')
  return { namespace, name: qualified.slice(colon + 1) }
}

function attributesOf(raw: ReadonlyMap<string, string>, scope: ReadonlyMap<string, string>) {
  const attributes = new Map<string, string>()
  for (const [key, value] of raw) {
    if (key === 'xmlns' || key.startsWith('xmlns:')) continue
    const { namespace, name: local } = resolved(key, scope, false)
    const full = namespace === '' ? local : `{${namespace}}${local}`
    if (attributes.has(full)) throw new NotXml('an attribute is there twice')
    attributes.set(full, value)
  }
  return attributes
}
