import { basename, resolve } from 'node:path'
import { type FileSystem, nodeFileSystem } from '#base/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { refNameAnnotation } from './annotations.ts'
import { LayoutDirectory } from './layout-directory.ts'
import { RootedRepositories, RootedSource } from './rooted-repositories.ts'
import type { Container, Root } from './types.ts'

/** Opens an OCI image layout to read. @throws LAYOUT_INVALID */
export async function openLayout(path: string, options: { fs?: FileSystem } = {}): Promise<Container> {
  const layout = new LayoutDirectory(path, options.fs ?? nodeFileSystem)
  await layout.assertLayout()
  const rooted = {
    roots: async () => (await layout.roots()).map(rootOf),
    size: layout.size.bind(layout),
    open: layout.open.bind(layout),
  }
  const repositories = new RootedRepositories(rooted, repositoryNameFor(path))
  return {
    roots: rooted.roots,
    source: new RootedSource(rooted),
    repository: (name) => repositories.repository(name),
    names: (page) => repositories.names(page),
    contents: () => layout.contents(),
    close: async () => undefined,
  }
}

export function rootOf(descriptor: Descriptor): Root {
  const reference = descriptor.annotations?.[refNameAnnotation]
  return reference === undefined ? { descriptor } : { descriptor, reference }
}

/** The repository of roots that have no whole name: the file's or folder's own, in a registry's letters. */
export function repositoryNameFor(path: string): string {
  const name = basename(resolve(path))
    .toLowerCase()
    .replace(/\.(tgz|tar\.gz|tar\.zst|tar)$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name || 'layout'
}
