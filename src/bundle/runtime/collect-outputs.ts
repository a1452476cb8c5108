import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type Limits, limits } from '#base/index.ts'
import { outputsDirectory } from '../bundle-rules.ts'
import { failure } from '../codes.ts'

/**
 * Reads what the run tool left in the folder that was its /cnab/app/outputs. Every component is opened without
 * following links, below the one that is open already, so that neither a link nor a process that still runs and
 * moves folders about leads the read out of the folder.
 *
 * @param outputs name to path, as the bundle says (checked: strictly below /cnab/app/outputs, without "..")
 * @throws OUTPUT_HOSTILE, OUTPUT_INVALID
 */
export async function collectOutputs(
  directory: string,
  outputs: ReadonlyMap<string, string>,
  bounds: Limits = limits,
): Promise<Map<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>()
  for (const [name, path] of outputs) {
    const parts = path.slice(outputsDirectory.length + 1).split('/')
    const value = await readBelow(directory, parts, name, bounds.outputBytes)
    if (value) values.set(name, value)
  }
  return values
}

async function readBelow(
  directory: string,
  parts: readonly string[],
  name: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants
  await using handles = new AsyncDisposableStack()
  let at = directory
  for (const [depth, part] of ['.', ...parts].entries()) {
    const isLast = depth === parts.length
    // A pipe would make the open wait for a writer.
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | (isLast ? 0 : O_DIRECTORY)
    let handle: FileHandle
    try {
      handle = handles.use(await open(`${at}/${part}`, flags))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'ENOENT') return undefined
      if (code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') {
        throw failure('OUTPUT_HOSTILE', `the output ${name} is behind a link, or not a file`)
      }
      throw failure('OUTPUT_INVALID', `the output ${name} cannot be read: ${code}`, { cause: error })
    }
    if (isLast) return await readFile(handle, name, maxBytes)
    at = `/proc/self/fd/${handle.fd}`
  }
  return undefined
}

async function readFile(handle: FileHandle, name: string, maxBytes: number): Promise<Uint8Array> {
  const stats = await handle.stat()
  if (!stats.isFile()) throw failure('OUTPUT_HOSTILE', `the output ${name} is not a file`)
  const tooLarge = () => failure('OUTPUT_INVALID', `the output ${name} has more than ${maxBytes} bytes`)
  if (stats.size > maxBytes) throw tooLarge()
  const bytes = new Uint8Array(stats.size + 1)
  let filled = 0
  for (;;) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled)
    if (bytesRead === 0) return bytes.subarray(0, filled)
    filled += bytesRead
    // It grew while it was read: a process is still writing, and what is here is neither old nor new.
    if (filled > stats.size) throw tooLarge()
  }
}
