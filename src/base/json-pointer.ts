import type { Json } from './json.ts'

/**
 * What a JSON pointer (RFC 6901) leads to, or undefined: members of an object's own and places of a list that are
 * there, nothing inherited, and no `-`.
 */
export function jsonAt(value: Json | undefined, pointer: string): Json | undefined {
  let found = value
  for (const escaped of pointer.split('/').slice(1)) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    if (Array.isArray(found) && !/^(0|[1-9]\d{0,8})$/.test(name)) return undefined
    found = (found as Record<string, Json>)[name]
  }
  return found
}
