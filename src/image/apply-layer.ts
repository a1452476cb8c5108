import * as fs from 'node:fs'
import type { Limits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { RootDirectory } from './root-directory.ts'
import type { TarMember } from './tar-reader.ts'

export interface ApplyOptions {
  /** Whether files get the owners that the layer says. */
  readonly ownership: boolean
  /** What to do about devices and pipes. */
  readonly devices: 'skip' | 'refuse'
  readonly limits: Limits
  readonly onNote: (text: string) => void
  readonly signal?: AbortSignal | undefined
}

const whiteout = '.wh.'
const opaque = '.wh..wh..opq'

/**
 * Applies one layer to what the layers below it left (image-spec layer.md, Applying Changesets): a whiteout hides
 * what is below, never what its own layer brings, in whatever order they come.
 *
 * @throws LAYER_HOSTILE, LAYER_INVALID, LAYER_TOO_LARGE, and what `members` throws
 */
export async function applyLayer(
  root: RootDirectory,
  members: AsyncIterable<TarMember>,
  options: ApplyOptions,
): Promise<void> {
  const layer = new LayerApplication(root, options)
  for await (const member of members) {
    options.signal?.throwIfAborted()
    await layer.apply(member)
  }
}

class LayerApplication {
  readonly #root: RootDirectory
  readonly #options: ApplyOptions
  /** Real paths that this layer brought, and the directories they are in. */
  readonly #brought = new Set<string>()
  /** Those among them that members name themselves. */
  readonly #named = new Set<string>()

  constructor(root: RootDirectory, options: ApplyOptions) {
    this.#root = root
    this.#options = options
  }

  async apply(member: TarMember): Promise<void> {
    const names = this.#names(member.name)
    const name = names.pop()
    if (name === undefined) {
      if (member.kind !== 'directory') throw failure('LAYER_INVALID', 'a layer replaces the root directory')
      this.#name('', member.name)
      this.#dress('', member)
      return
    }
    const parent = this.#root.resolve(names, (made) => this.#bring(made))
    if (name.startsWith(whiteout)) {
      this.#hide(parent, name)
      return
    }
    const real = parent === '' ? name : `${parent}/${name}`
    if (member.kind === 'device' || member.kind === 'fifo') {
      this.#skipDevice(real, member)
      return
    }
    this.#name(real, member.name)
    this.#makeRoom(real, member)
    if (member.attributes) this.#options.onNote(`${real}: extended attributes are not carried over`)
    if (member.kind === 'directory') this.#directory(real, member)
    else if (member.kind === 'symlink') this.#symlink(real, member)
    else if (member.kind === 'link') this.#hardLink(real, member)
    else await this.#file(real, member)
  }

  /** The components of a path in the archive. @throws LAYER_HOSTILE, LAYER_TOO_LARGE */
  #names(path: string): string[] {
    if (path.startsWith('/')) throw failure('LAYER_HOSTILE', `a layer names the absolute path ${shown(path)}`)
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    if (names.includes('..')) throw failure('LAYER_HOSTILE', `a layer names the path ${shown(path)}`)
    const { nameBytes } = this.#options.limits
    if (names.some((name) => Buffer.byteLength(name) > nameBytes)) {
      throw failure('LAYER_TOO_LARGE', `a name in a layer is longer than ${nameBytes} bytes`)
    }
    return names
  }

  /** image-spec layer.md: a layer must not name a path twice. */
  #name(real: string, name: string): void {
    if (this.#named.has(real)) throw failure('LAYER_INVALID', `a layer names ${shown(name)} twice`)
    this.#named.add(real)
    this.#bring(real)
  }

  #bring(real: string): void {
    for (
      let at = real;
      at !== '' && !this.#brought.has(at);
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')))
    ) {
      this.#brought.add(at)
    }
  }

  /** Removes what a lower layer has at the path, unless both are directories. */
  #makeRoom(real: string, member: TarMember): void {
    const stats = this.#root.stat(real)
    if (!stats || (stats.isDirectory() && member.kind === 'directory')) return
    if (stats.isDirectory() && this.#root.names(real).some((name) => this.#brought.has(`${real}/${name}`))) {
      throw failure(
        'LAYER_INVALID',
        `a layer has ${shown(member.name)} both as a directory and as something else`,
      )
    }
    this.#root.remove(real)
  }

  #hide(parent: string, name: string): void {
    if (name === opaque) {
      for (const child of this.#root.names(parent)) this.#hideBelow(join(parent, child))
      return
    }
    // aufs kept its own things under such names (layers of early Docker hold them still).
    if (name.startsWith('.wh..wh.')) return
    const hidden = name.slice(whiteout.length)
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw failure('LAYER_HOSTILE', `a layer removes ${JSON.stringify(hidden)}`)
    }
    this.#hideBelow(join(parent, hidden))
  }

  #hideBelow(real: string): void {
    if (!this.#brought.has(real)) {
      this.#root.remove(real)
    } else if (this.#root.stat(real)?.isDirectory()) {
      for (const child of this.#root.names(real)) this.#hideBelow(join(real, child))
    }
  }

  #directory(real: string, member: TarMember): void {
    if (!this.#root.stat(real)) this.#root.makeDirectory(real)
    this.#dress(real, member)
  }

  #dress(real: string, { mode, mtimeSeconds, uid, gid }: TarMember): void {
    if (this.#options.ownership) this.#root.guard(real, (path) => fs.lchownSync(path, uid, gid))
    this.#root.setLook(real, { mode, mtimeSeconds })
  }

  #symlink(real: string, { linkName, uid, gid, mtimeSeconds }: TarMember): void {
    if (linkName === '') throw failure('LAYER_INVALID', `the link ${shown(real)} leads nowhere`)
    this.#root.makeLink(real, linkName)
    this.#root.guard(real, (path) => {
      if (this.#options.ownership) fs.lchownSync(path, uid, gid)
      fs.lutimesSync(path, mtimeSeconds, mtimeSeconds)
    })
  }

  #hardLink(real: string, { linkName }: TarMember): void {
    const names = this.#names(linkName)
    const name = names.pop()
    const parent = this.#root.resolve(names, (made) => this.#bring(made))
    const target = join(parent, name ?? '')
    const stats = name === undefined ? undefined : this.#root.stat(target)
    if (!stats?.isFile() && !stats?.isSymbolicLink()) {
      throw failure(
        'LAYER_INVALID',
        `the hard link ${shown(real)} leads to ${shown(linkName)}, which is no file`,
      )
    }
    // link(2) does not follow a link at the end: it gives that link a second name.
    this.#root.guard(real, (path) => fs.linkSync(this.#root.at(target), path))
  }

  async #file(real: string, { body, mode, mtimeSeconds, uid, gid }: TarMember): Promise<void> {
    // Exclusive: what is made is a file that was not there, never the far end of a link.
    const file = this.#root.guard(real, (path) => fs.openSync(path, 'wx', 0o600))
    try {
      for await (const part of body) {
        this.#options.signal?.throwIfAborted()
        this.#root.guard(real, () => writeAll(file, part))
      }
      this.#root.guard(real, () => {
        if (this.#options.ownership) fs.fchownSync(file, uid, gid)
        // Without its owner, a file that runs as its owner would run as whoever unpacks it.
        fs.fchmodSync(file, this.#options.ownership ? mode : mode & 0o1777)
        fs.futimesSync(file, mtimeSeconds, mtimeSeconds)
      })
    } finally {
      fs.closeSync(file)
    }
  }

  #skipDevice(real: string, { kind, name }: TarMember): void {
    const what = kind === 'device' ? 'a device' : 'a pipe'
    if (this.#options.devices === 'refuse')
      throw failure('LAYER_HOSTILE', `${shown(name)} in a layer is ${what}`)
    this.#options.onNote(`${real}: ${what} is left out`)
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(file, bytes, done)
}

const join = (parent: string, name: string): string => (parent === '' ? name : `${parent}/${name}`)
const shown = (name: string): string => JSON.stringify(name.slice(0, 200))
