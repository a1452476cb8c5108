import { resolve } from 'node:path'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'

/** A small file, or standard input for `-`. @throws LOCATION_INVALID where it is too large, FILE_SYSTEM */
export async function readFileOrInput(context: Context, file: string, maxBytes: number): Promise<Uint8Array> {
  if (file !== '-') return readWhole(resolve(context.cwd, file), maxBytes)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Uint8Array)
    length += (chunk as Uint8Array).length
    if (length > maxBytes)
      throw failure('LOCATION_INVALID', `standard input is over the limit of ${maxBytes} bytes`)
  }
  return Buffer.concat(chunks)
}
