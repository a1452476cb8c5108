import { closeSync, lstatSync, mkdirSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { failure } from '../codes.ts'

/** As the kernel (path_resolution(7)). */
const mostLinks = 40

/**
 * Finds, or makes, the place in an unpacked root file system where something is to be mounted. Links are followed
 * as the system inside would see them, so none leads out. Nothing else may write there meanwhile.
 *
 * @param path absolute, inside the root
 * @returns the same place, absolute inside the root, with no link left on the way
 * @throws ROOTFS_HOSTILE where links do not end, OPERATION_INVALID where something of another kind is in the way
 */
export function mountPoint(rootfs: string, path: string, kind: 'directory' | 'file'): string {
  return place(rootfs, path, kind, make) as string
}

/** The same for a file that must be there already; undefined where it is not. @throws ROOTFS_HOSTILE */
export function fileIn(rootfs: string, path: string): string | undefined {
  return place(rootfs, path, 'file', () => undefined)
}

function place(
  rootfs: string,
  path: string,
  kind: 'directory' | 'file',
  onMissing: (path: string, kind: 'directory' | 'file') => true | undefined,
): string | undefined {
  const pending = path.split('/').toReversed()
  let real: string[] = []
  let links = 0
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      real.pop()
      continue
    }
    const next = `${rootfs}/${[...real, name].join('/')}`
    const isLast = pending.every((part) => part === '' || part === '.')
    const stats = lstatSync(next, { throwIfNoEntry: false })
    if (stats?.isSymbolicLink()) {
      if (++links > mostLinks) throw failure('ROOTFS_HOSTILE', `the links on the way to ${path} do not end`)
      const target = readlinkSync(next)
      if (target.startsWith('/')) real = []
      pending.push(...target.split('/').toReversed())
      continue
    }
    if (!stats) {
      if (!onMissing(next, isLast ? kind : 'directory')) return undefined
    } else if (!suits(stats, isLast ? kind : 'directory')) {
      throw failure('OPERATION_INVALID', `${path} cannot be made in the image: something else is in the way`)
    }
    real.push(name)
  }
  if (real.length === 0) throw failure('OPERATION_INVALID', `${path} is the root of the image`)
  return `/${real.join('/')}`
}

function make(path: string, kind: 'directory' | 'file'): true {
  if (kind === 'directory') mkdirSync(path, 0o755)
  else closeSync(openSync(path, 'wx', 0o644))
  return true
}

function suits(stats: Stats, kind: 'directory' | 'file'): boolean {
  return kind === 'directory' ? stats.isDirectory() : stats.isFile()
}
