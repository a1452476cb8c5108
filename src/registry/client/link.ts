const uri = /[ \t]*<([^<>]*)>/y
const parameter =
  /[ \t]*;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+)))?/y
const separator = /[ \t]*(?:,|$)/y

/** The target of the first link whose relation is `next` (RFC 8288 section 3); undefined where there is none. */
export function nextLink(text: string): string | undefined {
  let at = 0
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match) at = pattern.lastIndex
    return match
  }
  while (at < text.length) {
    const target = take(uri)?.[1]
    if (target === undefined) return undefined
    let relation: string | undefined
    for (let match = take(parameter); match; match = take(parameter)) {
      if (match[1]!.toLowerCase() === 'rel') relation ??= match[2] ?? match[3] ?? ''
    }
    if (relation?.toLowerCase().split(/\s+/).includes('next')) return target
    if (!take(separator)) return undefined
  }
  return undefined
}
