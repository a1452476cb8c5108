import { DiskFile } from './power-cut-file.ts'

/** A directory as the running system sees it, and which of its names are on the disk. */
export class DiskDirectory {
  readonly kind = 'directory'
  readonly live = new Map<string, DiskNode>()
  readonly durable = new Map<string, DiskNode>()
  readonly modifiedMs: number

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs
  }
}

export type DiskNode = DiskFile | DiskDirectory

/** One name that comes to mean something else, or nothing. */
interface NameChange {
  readonly directory: DiskDirectory
  readonly name: string
  readonly node: DiskNode | undefined
}

/** The names of a disk. Changes made together (a rename's two) survive together or not at all. */
export class DiskNames {
  readonly root: DiskDirectory
  #pending: (readonly NameChange[])[] = []

  constructor(root: DiskDirectory) {
    this.root = root
  }

  change(...changes: readonly NameChange[]): void {
    for (const { directory, name, node } of changes) set(directory.live, name, node)
    this.#pending.push(changes)
  }

  /** Makes the names in `directory` durable, with the other half of renames, and nothing else. */
  sync(directory: DiskDirectory): void {
    // What another directory did to the same names before must not come after: it settles, too.
    const settled = new Set<readonly NameChange[]>()
    const touched = new Set<string>()
    const ids = new Map<DiskDirectory, number>()
    const key = (change: NameChange): string => {
      if (!ids.has(change.directory)) ids.set(change.directory, ids.size)
      return `${ids.get(change.directory)}/${change.name}`
    }
    for (const changes of this.#pending.toReversed()) {
      if (!changes.some((change) => change.directory === directory || touched.has(key(change)))) continue
      settled.add(changes)
      for (const change of changes) touched.add(key(change))
    }
    for (const changes of this.#pending) if (settled.has(changes)) settle(changes)
    this.#pending = this.#pending.filter((changes) => !settled.has(changes))
  }

  /** Whether a name in `directory` would not survive for certain. */
  isPending(directory: DiskDirectory): boolean {
    return this.#pending.some((changes) => changes.some((change) => change.directory === directory))
  }

  /** The disk after a power cut: of what was not synced nothing, all, the first part, or any part is there. */
  survivor(random: () => number): DiskNames {
    const fate = random()
    const first = Math.floor(random() * (this.#pending.length + 1))
    const kept = this.#pending.filter((_, at) => {
      if (fate < 0.2) return false
      if (fate < 0.4) return true
      return fate < 0.6 ? at < first : random() < 0.5
    })
    const entries = new Map<DiskDirectory, Map<string, DiskNode>>()
    const entriesOf = (directory: DiskDirectory): Map<string, DiskNode> => {
      const known = entries.get(directory) ?? new Map(directory.durable)
      entries.set(directory, known)
      return known
    }
    for (const { directory, name, node } of kept.flat()) set(entriesOf(directory), name, node)
    const survivors = new Map<DiskNode, DiskNode>()
    const survive = (node: DiskNode): DiskNode => {
      const known = survivors.get(node)
      if (known) return known
      const survivor = node instanceof DiskFile ? node.survivor(random) : new DiskDirectory(node.modifiedMs)
      survivors.set(node, survivor)
      if (node instanceof DiskDirectory && survivor instanceof DiskDirectory) {
        for (const [name, child] of entriesOf(node)) {
          survivor.live.set(name, survive(child))
          survivor.durable.set(name, survive(child))
        }
      }
      return survivor
    }
    return new DiskNames(survive(this.root) as DiskDirectory)
  }
}

const settle = (changes: readonly NameChange[]): void => {
  for (const { directory, name, node } of changes) set(directory.durable, name, node)
}

const set = (map: Map<string, DiskNode>, name: string, node: DiskNode | undefined): void => {
  if (node) map.set(name, node)
  else map.delete(name)
}
