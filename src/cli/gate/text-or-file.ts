import { resolve } from 'node:path'
import { limits } from '#base/index.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'

/** A verifier key as it is, or in a file of that name: a key has two `+`, and no sensible path looks like one. */
export async function textOrFile(context: Context, text: string): Promise<string> {
  if (/^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(text)) return text
  return Buffer.from(await readWhole(resolve(context.cwd, text), limits.keyBytes)).toString()
}
