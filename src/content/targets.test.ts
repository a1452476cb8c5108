import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { openArchive } from './archive/container.ts'
import { chunkContentBytes } from './archive/format.ts'
import { ArchiveWriter } from './archive/writer.ts'
import { openLayout } from './layout.ts'
import { LayoutTarget } from './layout-target.ts'
import { MemoryStore } from './memory.ts'
import { openOciArchive } from './oci-archive.ts'
import { OciArchiveTarget } from './oci-archive-target.ts'
import { targetTests } from './target.suite.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-targets-'))
})
const open: (() => Promise<void>)[] = []
after(async () => {
  for (const close of open) await close()
  await rm(folder, { recursive: true })
})

let counter = 0
const fresh = (): string => join(folder, `${counter++}`)

targetTests('memory', async () => {
  const store = new MemoryStore()
  return { target: async () => store, committed: async () => store }
})

targetTests(
  'an OCI layout',
  async () => {
    const path = fresh()
    return {
      target: async () => new LayoutTarget(path),
      committed: async () => (await openLayout(path)).source,
    }
  },
  { resumesWithinBytes: 1024 * 1024 },
)

targetTests(
  'an archive',
  async () => {
    const path = `${fresh()}.tgz`
    return {
      target: async () => {
        const writer = new ArchiveWriter(path)
        open.push(() => writer[Symbol.asyncDispose]())
        return Object.assign(writer.repository('a.example/b'), {
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        })
      },
      committed: async () => {
        const { source, repository, close } = await openArchive(path)
        open.push(close)
        // Its tags are whole names in the archive, and plain in the repository; contents without a root are in none.
        const resolve = async (reference: string) =>
          ((await repository('a.example/b')) ?? source).resolve(reference)
        return { open: source.open.bind(source), resolve }
      },
    }
  },
  { resumesWithinBytes: chunkContentBytes },
)

targetTests('an oci-archive', async () => {
  const path = `${fresh()}.tar`
  return {
    target: async () => {
      const target = new OciArchiveTarget(path)
      open.push(() => target[Symbol.asyncDispose]())
      return target
    },
    committed: async () => {
      const { source, close } = await openOciArchive(path)
      open.push(close)
      return source
    },
  }
})
