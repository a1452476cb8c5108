import { open, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isFailure } from '#base/index.ts'
import { parseReference, type Reference } from '#oci/index.ts'
import { failure } from './codes.ts'

/** What kind of thing a text names. `file` is a tar of another tool whose kind shows only when it is opened. */
export type LocationKind =
  | 'registry'
  | 'layout'
  | 'oci-archive'
  | 'docker-archive'
  | 'archive'
  | 'bundle'
  | 'file'

/** A place that content comes from or goes to, as somebody wrote it. */
export type Location =
  | { readonly kind: 'registry'; readonly text: string; readonly reference: Reference }
  | {
      readonly kind: Exclude<LocationKind, 'registry'>
      readonly text: string
      /** Absolute. */
      readonly path: string
      /** One root inside, by its name or digest; all where it is not said. */
      readonly inside?: string
    }

const schemes: Readonly<Record<string, 'layout' | 'oci-archive' | 'docker-archive' | 'archive'>> = {
  oci: 'layout',
  'oci-archive': 'oci-archive',
  'docker-archive': 'docker-archive',
  archive: 'archive',
}

const pathEnding = /\.(tgz|tar|tar\.gz|json)$/

/**
 * Reads a location: SCHEME:PATH[:REF] with a scheme of `oci`, `oci-archive`, `docker-archive` or `archive`; a path
 * (it exists, or begins with `./`, `../` or `/`, or ends in .tgz, .tar, .tar.gz or .json); else a reference.
 * A path that exists is looked into.
 *
 * @throws LOCATION_INVALID, REFERENCE_INVALID
 */
export async function parseLocation(text: string, cwd: string): Promise<Location> {
  const colon = text.indexOf(':')
  const scheme = colon > 0 ? text.slice(0, colon) : ''
  if (Object.hasOwn(schemes, scheme)) {
    const rest = text.slice(colon + 1)
    const end = rest.indexOf(':')
    const path = end < 0 ? rest : rest.slice(0, end)
    const inside = end < 0 ? undefined : rest.slice(end + 1)
    if (path === '' || inside === '') {
      throw failure('LOCATION_INVALID', `${text} is not ${scheme}:PATH or ${scheme}:PATH:REFERENCE`)
    }
    const kind = schemes[scheme]!
    return { kind, text, path: resolve(cwd, path), ...(inside !== undefined && { inside }) }
  }
  if (text === '' || text.includes('\0')) throw failure('LOCATION_INVALID', 'a location is empty')
  const path = resolve(cwd, text)
  const kind = await sniff(path, text)
  if (kind) return { kind, text, path }
  if (/^(\.\.?\/|\/)/.test(text) || pathEnding.test(text)) {
    return { kind: kindByName(text), text, path }
  }
  try {
    return { kind: 'registry', text, reference: parseReference(text) }
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw failure(
      'LOCATION_INVALID',
      `${JSON.stringify(text.slice(0, 200))} is neither a file that is here nor a reference`,
      {
        cause,
      },
    )
  }
}

/** For a path where there is nothing yet. */
function kindByName(text: string): Exclude<LocationKind, 'registry'> {
  if (text.endsWith('.json')) return 'bundle'
  if (/\.(tgz|tar\.gz)$/.test(text)) return 'archive'
  return text.endsWith('.tar') ? 'oci-archive' : 'layout'
}

/** How one root of a location is written. */
export function locationInside(location: Location, reference: string): string {
  if (location.kind === 'registry') return reference
  const scheme = Object.keys(schemes).find((name) => schemes[name] === location.kind) ?? 'archive'
  return `${scheme}:${location.text.replace(/^[a-z-]+:/, '')}:${reference}`
}

/** What is at a path; undefined where there is nothing. @throws LOCATION_INVALID where nothing can be made of it */
async function sniff(path: string, text: string): Promise<Exclude<LocationKind, 'registry'> | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (!found) return undefined
  if (found.isDirectory()) {
    const entries = await readdir(path)
    // An unpacked thick bundle has its layout in artifacts/layout.
    if (entries.includes('oci-layout') || entries.includes('artifacts') || entries.length === 0)
      return 'layout'
    // A folder that happens to be called like an image does not hide the image.
    if (/^[a-z0-9]/.test(text) && !text.endsWith('/')) return undefined
    throw failure('LOCATION_INVALID', `${text} is a folder, but not an OCI layout`, {
      hint: `It would hold ${join(text, 'oci-layout')}, index.json and blobs/.`,
    })
  }
  if (!found.isFile()) throw failure('LOCATION_INVALID', `${text} is neither a file nor a folder`)
  return sniffFile(path)
}

async function sniffFile(path: string): Promise<'archive' | 'bundle' | 'file'> {
  await using file = await open(path, 'r')
  const head = Buffer.alloc(512)
  const { bytesRead } = await file.read(head, 0, head.length, 0)
  if (bytesRead >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'archive'
  if (/^\s*\{/.test(head.toString('latin1', 0, bytesRead))) return 'bundle'
  return 'file'
}
