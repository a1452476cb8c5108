import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Type } from 'typebox'
import {
  canonicalJson,
  type FileSystem,
  limits,
  nodeFileSystem,
  parseJson,
  readUpTo,
  replaceFile,
} from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { failure } from '../codes.ts'
import type { KnownRelease, ReleaseMemory } from './known-releases.ts'
import { releaseSchema } from './release.ts'

const schema = Type.Intersect([
  Type.Object({ ...releaseSchema.properties }),
  Type.Object({
    publisher: Type.String(),
    digest: Type.String({ pattern: '^sha(256|384|512):[0-9a-f]+$' }),
    seenAt: Type.String(),
  }),
])

/**
 * The newest releases in a folder, a file for each publisher's product. A file that is damaged is an error and not a
 * release that was never seen: forgetting is what whoever rolls back would wish for.
 */
export function releaseDirectory(directory: string, fs: FileSystem = nodeFileSystem): ReleaseMemory {
  const pathOf = (key: string) => join(directory, `${createHash('sha256').update(key).digest('hex')}.json`)
  return {
    read: (key) => read(fs, pathOf(key)),
    async write(key, release) {
      await fs.makeDirectory(directory)
      await replaceFile(fs, pathOf(key), canonicalJson(release))
    },
    async all() {
      const names = (await fs.list(directory))
        .map(({ name }) => name)
        .filter((name) => name.endsWith('.json'))
      const releases = await Promise.all(names.map((name) => read(fs, join(directory, name))))
      return releases.filter((release) => release !== undefined)
    },
  }
}

/** @throws RELEASE_MEMORY_DAMAGED */
async function read(fs: FileSystem, path: string): Promise<KnownRelease | undefined> {
  if (!(await fs.stat(path))) return undefined
  const file = await fs.open(path, 'read')
  try {
    const value = parseJson(await readUpTo(file, limits.releaseBytes), { maxBytes: limits.releaseBytes })
    const problems = shapeProblems(schema, value)
    if (problems.length === 0) return value as unknown as KnownRelease
    throw failure('RELEASE_MEMORY_DAMAGED', `${path} is not a release that was seen: ${tell(problems)}`)
  } finally {
    await file.close()
  }
}
