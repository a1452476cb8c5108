import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { failure } from '../codes.ts'
import type { ContainerUser } from './options.ts'

/** Largest /etc/passwd and /etc/group that are read, in bytes. */
const tableBytes = 1024 * 1024

/**
 * Who the image's config asks to be (image-spec config.md, `User`: user, uid, user:group, uid:gid), names looked
 * up in the image itself.
 *
 * @throws DRIVER_FAILED where the image has no such user or group
 */
export function containerUser(rootfs: string, text: string): ContainerUser {
  const [name = '', groupName] = text.split(':')
  const users = table(rootfs, 'passwd')
  const fail = (what: string) => failure('DRIVER_FAILED', `the image has no ${what} ${JSON.stringify(text)}`)
  const wanted = name === '' ? '0' : name
  const row = users.find((fields) => fields[0] === wanted) ?? users.find((fields) => fields[2] === wanted)
  const uid = idOf(row?.[2] ?? wanted)
  if (uid === undefined) throw fail('user')
  let gid = idOf(row?.[3] ?? '0') ?? 0
  if (groupName !== undefined && groupName !== '') {
    const group = table(rootfs, 'group').find((fields) => fields[0] === groupName)
    const found = idOf(group?.[2] ?? groupName)
    if (found === undefined) throw fail('group')
    gid = found
  }
  const home = row?.[5]
  return { uid, gid, home: home?.startsWith('/') ? home : uid === 0 ? '/root' : '/' }
}

function idOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1 ? Number(text) : undefined
}

/** The rows of one table; none where it is a link or not there, as its place may lead anywhere. */
function table(rootfs: string, name: 'passwd' | 'group'): string[][] {
  let directory: number | undefined
  let file: number | undefined
  try {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants
    directory = openSync(`${rootfs}/etc`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    file = openSync(`/proc/self/fd/${directory}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const stats = fstatSync(file)
    if (!stats.isFile() || stats.size > tableBytes) return []
    const bytes = Buffer.alloc(stats.size)
    const text = bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0))
    return text.split('\n').map((line) => line.split(':'))
  } catch {
    return []
  } finally {
    if (file !== undefined) closeSync(file)
    if (directory !== undefined) closeSync(directory)
  }
}
