import { failure } from './codes.ts'

/**
 * A member's path as others are compared with it: without `./`, doubled slashes and the slash of a directory. The
 * archive's root itself is the empty path.
 *
 * @throws ARCHIVE_HOSTILE where it leads out of the archive, or is longer than `maxBytes`
 */
export function tarPath(name: string, maxBytes: number): string {
  assertPlain(name, maxBytes)
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (name.startsWith('/') || parts.includes('..')) {
    throw failure('ARCHIVE_HOSTILE', `the path ${shown(name)} leads out of the archive`)
  }
  return parts.join('/')
}

/**
 * Where a link leads, as a path from the archive's root. A symbolic one starts at its own folder, a hard one at the
 * root.
 *
 * @throws ARCHIVE_HOSTILE where that is outside the archive
 */
export function linkTarget(path: string, target: string, symbolic: boolean, maxBytes: number): string {
  assertPlain(target, maxBytes)
  const parts = symbolic ? path.split('/').slice(0, -1) : []
  let escapes = target.startsWith('/')
  for (const part of target.split('/')) {
    if (part === '..') escapes ||= parts.pop() === undefined
    else if (part !== '' && part !== '.') parts.push(part)
  }
  if (escapes) throw failure('ARCHIVE_HOSTILE', `the link ${shown(path)} leads out of the archive`)
  return parts.join('/')
}

function assertPlain(name: string, maxBytes: number): void {
  if (name.includes('\0')) throw failure('ARCHIVE_HOSTILE', 'a path holds a NUL')
  if (Buffer.byteLength(name) > maxBytes) {
    throw failure('ARCHIVE_HOSTILE', `a path is longer than ${maxBytes} bytes`)
  }
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 100))
