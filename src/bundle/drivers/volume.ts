import { realpathSync, statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { isWithin, rooted } from '../bundle-rules.ts'
import { failure } from '../codes.ts'

/** A folder or file of this machine, given to the run tool by whoever operates it; never by a bundle. */
export interface Volume {
  readonly from: string
  readonly to: string
  readonly readOnly: boolean
}

/** Reads HOST:PATH or HOST:PATH:ro. @throws VOLUME_INVALID */
export function parseVolume(text: string): Volume {
  const [from = '', to = '', mode, ...rest] = text.split(':')
  const fail = (why: string) =>
    failure('VOLUME_INVALID', `${JSON.stringify(text.slice(0, 200))} is not a volume: ${why}`)
  if (rest.length > 0) throw fail('it has too many parts')
  if (mode !== undefined && mode !== 'ro' && mode !== 'rw') throw fail('its mode is neither ro nor rw')
  if (!isAbsolute(from) || !isAbsolute(to)) throw fail('both paths must be absolute')
  if (text.includes('\0') || rooted(to) === '/') throw fail('it cannot be put there')
  // What the contract puts there is not to be hidden.
  if (isWithin('/cnab', to)) throw fail('/cnab belongs to the bundle')
  return { from, to: rooted(to), readOnly: mode === 'ro' }
}

/** The volume with its source as it really is, links followed. @throws VOLUME_INVALID where there is none */
export function openVolume(volume: Volume): Volume & { readonly isDirectory: boolean } {
  try {
    const from = realpathSync(volume.from)
    return { ...volume, from, isDirectory: statSync(from).isDirectory() }
  } catch (cause) {
    throw failure('VOLUME_INVALID', `${volume.from} is not there, so it cannot be mounted`, { cause })
  }
}
