/** What a disk writes in one piece, in bytes. */
export const sectorBytes = 512

type Change =
  | { readonly position: number; readonly bytes: Uint8Array }
  | { readonly sizeBytes: number }
  | { readonly modifiedMs: number }

/** Bytes that can grow; what lies between the end and a later write reads as zero. */
class Extent {
  size = 0
  #bytes = new Uint8Array(0)

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, this.size))
      this.#bytes = grown
    }
    this.#bytes.set(bytes, position)
    this.size = Math.max(this.size, end)
  }

  resize(sizeBytes: number): void {
    if (sizeBytes < this.size) this.#bytes.fill(0, sizeBytes, this.size)
    else if (sizeBytes > this.size) this.write(new Uint8Array(sizeBytes - this.size), this.size)
    this.size = sizeBytes
  }

  view(position = 0, length = this.size): Uint8Array {
    return this.#bytes.subarray(position, Math.max(position, Math.min(this.size, position + length)))
  }
}

/** A file as the running system sees it, and what of it is on the disk. */
export class DiskFile {
  readonly kind = 'file'
  readonly #live = new Extent()
  readonly #durable = new Extent()
  #pending: Change[] = []
  #durableModifiedMs: number
  modifiedMs: number

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs
    this.#durableModifiedMs = modifiedMs
  }

  get size(): number {
    return this.#live.size
  }

  read(into: Uint8Array, position: number): number {
    const part = this.#live.view(position, into.length)
    into.set(part)
    return part.length
  }

  write(bytes: Uint8Array, position: number, modifiedMs: number): void {
    // A copy: the caller may reuse its buffer. (`slice` of a Buffer copies nothing.)
    this.#change({ position, bytes: Uint8Array.from(bytes) })
    this.touch(modifiedMs)
  }

  resize(sizeBytes: number, modifiedMs: number): void {
    this.#change({ sizeBytes })
    this.touch(modifiedMs)
  }

  touch(modifiedMs: number): void {
    this.modifiedMs = modifiedMs
    this.#pending.push({ modifiedMs })
  }

  /** How much has changed since the last sync; what `sync` takes. */
  get pendingChanges(): number {
    return this.#pending.length
  }

  /** Brings the oldest `count` changes to the disk. */
  sync(count: number): void {
    for (const change of this.#pending.splice(0, count)) this.#settle(change)
  }

  /** What a power cut leaves: each change since the last sync is lost, kept, or torn, in no order. */
  survivor(random: () => number): DiskFile {
    const survivor = new DiskFile(this.#durableModifiedMs)
    survivor.#durable.write(this.#durable.view(), 0)
    // Often everything has one fate: nothing was written back yet, or all of it was.
    const fate = random()
    for (const change of this.#pending) {
      const kept = fate < 0.2 ? false : fate < 0.4 ? true : random() < 0.6
      if (!kept) continue
      if (!('bytes' in change) || fate < 0.4 || random() < 0.5) survivor.#settle(change)
      else survivor.#settleTorn(change, random)
    }
    survivor.#live.write(survivor.#durable.view(), 0)
    survivor.modifiedMs = survivor.#durableModifiedMs
    return survivor
  }

  #change(change: Change): void {
    apply(this.#live, change)
    this.#pending.push(change)
  }

  #settle(change: Change): void {
    if ('modifiedMs' in change) this.#durableModifiedMs = change.modifiedMs
    else apply(this.#durable, change)
  }

  /** Only the beginning of a write, or its size with some of its sectors. */
  #settleTorn({ position, bytes }: { position: number; bytes: Uint8Array }, random: () => number): void {
    if (random() < 0.5) {
      this.#durable.write(bytes.subarray(0, Math.floor(random() * bytes.length)), position)
      return
    }
    const end = position + bytes.length
    if (end > this.#durable.size) this.#durable.resize(end)
    for (let at = position; at < end; ) {
      const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes)
      if (random() < 0.5) this.#durable.write(bytes.subarray(at - position, next - position), at)
      at = next
    }
  }
}

function apply(extent: Extent, change: Change): void {
  if ('bytes' in change) extent.write(change.bytes, change.position)
  else if ('sizeBytes' in change) extent.resize(change.sizeBytes)
}
