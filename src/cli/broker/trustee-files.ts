import { join } from 'node:path'
import { isFailure, type Json, nodeFileSystem, parseJson, secretLimits } from '#base/index.ts'
import type { ImportNote, ResourceSource } from '#broker/index.ts'
import { failure } from '../codes.ts'
import { readWhole } from '../files.ts'

/** Names and values as they lie there; a name need not be one of a resource. */
export type Found = readonly [names: readonly string[], read: () => Promise<Uint8Array>]

/** All that lies at a place of Trustee's; what cannot be looked at is noted. */
export async function found(
  { kind, path }: Pick<ResourceSource, 'kind' | 'path'>,
  notes: ImportNote[],
): Promise<Found[]> {
  if (kind === 'json') return inJson(path, notes)
  const fileAt =
    (...names: string[]) =>
    () =>
      readWhole(join(path, ...names), secretLimits.valueBytes)
  const first = await filesIn(path, notes)
  // Trustee writes `/` within a name so.
  if (kind === 'folder') return first.map((name) => [name.split('\\x2F'), fileAt(name)])
  const all: Found[] = []
  for (const repository of first)
    for (const type of await filesIn(join(path, repository), notes))
      for (const tag of await filesIn(join(path, repository, type), notes))
        all.push([[repository, type, tag], fileAt(repository, type, tag)])
  return all
}

/** A file of one object: keys, and values in base64url. Its name has had an end and none. */
async function inJson(path: string, notes: ImportNote[]): Promise<Found[]> {
  const file = (await nodeFileSystem.stat(path))?.kind === 'file' ? path : `${path}.json`
  const all: Found[] = []
  await attempt(notes, file, async () => {
    const bytes = await readWhole(file, secretLimits.importedBytes)
    const document = parseJson(bytes, { maxBytes: secretLimits.importedBytes, maxDepth: 2 })
    if (typeof document !== 'object' || document === null || Array.isArray(document))
      throw failure('USAGE', 'it is no object of keys and values')
    for (const [key, value] of Object.entries(document))
      all.push([key.split('/'), async () => decoded(value)])
  })
  return all
}

function decoded(value: Json): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : undefined
  // Node passes over what is no base64url; padding is Trustee's.
  const plain = bytes?.toString('base64url')
  if (!bytes || !plain || ![plain, `${plain}=`, `${plain}==`].includes(value as string))
    throw failure('USAGE', 'its value is not base64url')
  return bytes
}

/** Names in a folder; one that is not there is noted. */
export async function filesIn(folder: string, notes: ImportNote[]): Promise<string[]> {
  const there = await nodeFileSystem.stat(folder)
  if (there?.kind === 'directory') return (await nodeFileSystem.list(folder)).map(({ name }) => name)
  notes.push({ from: folder, why: there ? 'it is no folder' : 'it is not there' })
  return []
}

/** One that cannot be taken over is told, and the others are taken all the same. */
export async function attempt(notes: ImportNote[], from: string, step: () => Promise<void>): Promise<void> {
  try {
    await step()
  } catch (error) {
    if (!isFailure(error)) throw error
    notes.push({ from, why: error.message })
  }
}
