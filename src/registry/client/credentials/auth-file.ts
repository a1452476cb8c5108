import { isFailure, type Json, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Credential } from './credential.ts'

/** What a docker config.json or podman auth.json says, keys normalised. */
export interface AuthFile {
  readonly auths: ReadonlyMap<string, Credential>
  readonly credsStore: string | undefined
  readonly credHelpers: ReadonlyMap<string, string>
}

/**
 * Docker's config.json (docker/cli, cli/config) and podman's auth.json (containers-auth.json(5)). What else the file
 * holds is not looked at.
 *
 * @throws CREDENTIALS_INVALID, with the path and never with what the file holds
 */
export function parseAuthFile(bytes: Uint8Array, path: string): AuthFile {
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes: bytes.length })
  } catch (error) {
    const why = isFailure(error) ? error.message : 'it cannot be read'
    throw failure('CREDENTIALS_INVALID', `${path} is not good JSON: ${why}`)
  }
  if (!isObject(value)) throw failure('CREDENTIALS_INVALID', `${path} is not a JSON object`)
  const auths = new Map<string, Credential>()
  for (const [key, entry] of entriesOf(value.auths, 'auths', path)) {
    const credential = parseEntry(entry, path, key)
    if (credential) auths.set(normalKey(key), credential)
  }
  const credHelpers = new Map<string, string>()
  for (const [key, helper] of entriesOf(value.credHelpers, 'credHelpers', path)) {
    if (typeof helper === 'string') credHelpers.set(normalKey(key), helper)
  }
  const store = value.credsStore
  return { auths, credHelpers, credsStore: typeof store === 'string' && store !== '' ? store : undefined }
}

/** HOST[:PORT][/NAMESPACE], however it was written: with a scheme, with /v1/ or /v2/ at its end, Docker Hub's old name. */
export function normalKey(key: string): string {
  const bare = key
    .replace(/^https?:\/\//i, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '')
  return bare.replace(/^(?:index\.docker\.io|registry-1\.docker\.io)(?=\/|$)/, 'docker.io')
}

/** Where to look for a repository, the longest first: HOST/A/B, HOST/A, HOST. */
export function lookupKeys(registry: string, repository: string): string[] {
  const keys: string[] = []
  for (
    let name = `${registry}/${repository}`.replace(/\/$/, '');
    ;
    name = name.slice(0, name.lastIndexOf('/'))
  ) {
    keys.push(name)
    if (!name.includes('/')) return keys
  }
}

function entriesOf(value: Json | undefined, name: string, path: string): [string, Json][] {
  if (value === undefined || value === null) return []
  if (!isObject(value)) throw failure('CREDENTIALS_INVALID', `"${name}" in ${path} is not an object`)
  return Object.entries(value)
}

function parseEntry(entry: Json, path: string, key: string): Credential | undefined {
  if (!isObject(entry))
    throw failure('CREDENTIALS_INVALID', `the entry for ${key} in ${path} is not an object`)
  const text = (name: string) => {
    const value = entry[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const identityToken = text('identitytoken')
  const registryToken = text('registrytoken')
  const pair =
    text('auth') === undefined ? plainPair(text('username'), text('password')) : decodePair(text('auth')!)
  if (pair === null)
    throw failure('CREDENTIALS_INVALID', `"auth" for ${key} in ${path} is not base64 of NAME:PASSWORD`)
  if (!pair && identityToken === undefined && registryToken === undefined) return undefined
  return { ...pair, ...(identityToken && { identityToken }), ...(registryToken && { registryToken }) }
}

function plainPair(username: string | undefined, password: string | undefined) {
  return username !== undefined && password !== undefined ? { username, password } : undefined
}

function decodePair(auth: string): { username: string; password: string } | null {
  if (!/^[A-Za-z0-9+/_-]*={0,2}\s*$/.test(auth)) return null
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  // Docker writes trailing NUL bytes from fixed buffers.
  return colon < 0
    ? null
    : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}
