// Unpacks test layers into a folder that is thrown away, and shows what came of it.
import assert from 'node:assert/strict'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '#content/index.ts'
import { parsePlatform } from '#oci/index.ts'
import { imageOf, type TestLayer, type TestMember, tarOf } from './layers.suite.ts'
import { selectImage } from './select-image.ts'
import { type UnpackOptions, unpackImage } from './unpack-image.ts'

export const amd64 = parsePlatform('linux/amd64')

export async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'sealift-unpack-'))
  return {
    path,
    root: join(path, 'root'),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

export async function unpackLayers(layers: readonly TestLayer[], root: string, options: UnpackOptions = {}) {
  const store = new MemoryStore()
  const image = await selectImage(store, await imageOf(store, layers), amd64)
  await unpackImage(store, image, root, { ownership: false, ...options })
}

export async function unpack(
  layers: readonly (readonly TestMember[])[],
  root: string,
  options: UnpackOptions = {},
) {
  const tars = await Promise.all(layers.map(tarOf))
  await unpackLayers(
    tars.map((tar) => ({ tar })),
    root,
    options,
  )
}

/** The tree as one line per entry: "dir/", "link -> target", "file=content". */
export function tree(root: string, below = ''): string[] {
  return readdirSync(join(root, below))
    .sort()
    .flatMap((name) => {
      const path = join(below, name)
      const stats = lstatSync(join(root, path))
      if (stats.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(root, path))}`]
      if (stats.isDirectory()) return [`${path}/`, ...tree(root, path)]
      return [`${path}=${readFileSync(join(root, path), 'utf8')}`]
    })
}

/** What must be refused: with which code, leaving neither the directory nor its partial one. */
export async function rejects(
  layers: readonly (readonly TestMember[])[],
  code: string,
  options: UnpackOptions = {},
) {
  await using here = await folder()
  await assert.rejects(unpack(layers, here.root, options), { code })
  assert.deepEqual(readdirSync(here.path), [])
}

export const dir = (name: string, mode = 0o755): TestMember => ({ name: `${name}/`, type: 'directory', mode })
export const file = (name: string, content = name): TestMember => ({ name, content })
export const link = (name: string, linkname: string): TestMember => ({ name, type: 'symlink', linkname })
export const hard = (name: string, linkname: string): TestMember => ({ name, type: 'link', linkname })
