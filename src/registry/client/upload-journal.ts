import { dirname } from 'node:path'
import { canonicalJson, type FileSystem, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { readSmallFile } from './small-file.ts'

/**
 * Where uploads that are under way go on, so that another process takes them up. Keys are `HOST/REPOSITORY@DIGEST`,
 * values the Locations that registries handed out. A Location may be enough to write to the upload: keep the journal
 * where only its user can read it.
 */
export interface UploadJournal {
  get(key: string): Promise<string | undefined>
  set(key: string, location: string): Promise<void>
  delete(key: string): Promise<void>
}

const maxEntries = 1000
const maxBytes = 8 * 1024 * 1024

/**
 * A journal in one small file, replaced in one step and durable when a call resolves. A file that is damaged counts
 * as empty: the worst is an upload that begins anew.
 */
export function fileUploadJournal(path: string, files: FileSystem): UploadJournal {
  let loaded: Promise<Map<string, string>> | undefined
  let last: Promise<void> = Promise.resolve()

  const load = () => {
    loaded ??= read(path, files)
    return loaded
  }
  /** One change after the other, each on the disk before the next. */
  const change = (act: (entries: Map<string, string>) => boolean): Promise<void> => {
    const done = last.then(async () => {
      const entries = await load()
      if (act(entries)) await write(path, files, entries)
    })
    last = done.catch(() => {})
    return done
  }
  return {
    get: async (key) => (await load()).get(key),
    set: (key, location) =>
      change((entries) => {
        if (entries.size >= maxEntries && !entries.has(key))
          entries.delete(entries.keys().next().value as string)
        entries.set(key, location)
        return true
      }),
    delete: (key) => change((entries) => entries.delete(key)),
  }
}

async function read(path: string, files: FileSystem): Promise<Map<string, string>> {
  const bytes = await readSmallFile(files, path, maxBytes).catch(() => undefined)
  if (!bytes) return new Map()
  try {
    const value = parseJson(bytes, { maxBytes })
    const uploads = isObject(value) && isObject(value.uploads) ? value.uploads : {}
    const entries = Object.entries(uploads).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    )
    return new Map(entries.slice(0, maxEntries))
  } catch {
    return new Map()
  }
}

async function write(path: string, files: FileSystem, entries: ReadonlyMap<string, string>): Promise<void> {
  const folder = dirname(path)
  const next = `${path}.next`
  await files.makeDirectory(folder)
  await files.remove(next)
  const file = await files.open(next, 'exclusive')
  try {
    await file.write(canonicalJson({ version: 1, uploads: Object.fromEntries(entries) }), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(next, path)
  await files.syncDirectory(folder)
}
