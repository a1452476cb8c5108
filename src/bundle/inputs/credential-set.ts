import { type Json, limits, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

/** Where a credential comes from (802): a file's path, a value, a variable, or a command's output. */
export type CredentialSource =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'command'; readonly command: string }

export interface CredentialSet {
  readonly name: string
  readonly sources: ReadonlyMap<string, CredentialSource>
}

/** Reads a credential set from JSON bytes. @throws CREDENTIAL_SET_INVALID, and the codes of `parseJson` */
export function parseCredentialSet(bytes: Uint8Array): CredentialSet {
  return checkCredentialSet(parseJson(bytes, { maxBytes: limits.bundleBytes }))
}

/** The same for a value that is parsed already, from YAML for instance. @throws CREDENTIAL_SET_INVALID */
export function checkCredentialSet(value: Json): CredentialSet {
  if (!isObject(value)) throw invalid('it is not an object')
  const { name = '', credentials = [] } = value
  if (typeof name !== 'string') throw invalid('/name is not a text')
  if (!Array.isArray(credentials)) throw invalid('/credentials is not a list')
  const sources = new Map<string, CredentialSource>()
  for (const [at, entry] of credentials.entries()) {
    const path = `/credentials/${at}`
    if (!isObject(entry) || typeof entry.name !== 'string') throw invalid(`${path}/name is not a text`)
    if (sources.has(entry.name)) throw invalid(`${path}/name is there twice`)
    if (!isObject(entry.source)) throw invalid(`${path}/source is not an object`)
    sources.set(entry.name, sourceOf(entry.source, `${path}/source`))
  }
  return { name, sources }
}

function sourceOf(source: { [key: string]: Json }, at: string): CredentialSource {
  const [kind, ...others] = Object.keys(source)
  if (kind === undefined || others.length > 0) throw invalid(`${at} does not name exactly one kind of source`)
  const value = source[kind]
  // The value itself is never told.
  if (typeof value !== 'string') throw invalid(`${at}/${kind} is not a text`)
  switch (kind) {
    case 'path':
      return { kind, path: value }
    case 'value':
      return { kind, value }
    case 'env':
      return { kind, name: value }
    case 'command':
      return { kind, command: value }
    default:
      throw invalid(
        `${at} is of the kind ${JSON.stringify(kind.slice(0, 40))}, which is none of path, value, env, command`,
      )
  }
}

function invalid(why: string) {
  return failure('CREDENTIAL_SET_INVALID', `not a credential set: ${why}`)
}
