import { join } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import { openArchive } from './archive/container.ts'
import { bundlePath, layoutPath } from './archive/format.ts'
import { ArchiveReader } from './archive/reader.ts'
import { failure } from './codes.ts'
import { dockerContainer, holdsDockerImages } from './docker-archive.ts'
import { openLayout, repositoryNameFor } from './layout.ts'
import { readFile } from './layout-directory.ts'
import { type BundleContainer, holdsLayout, ociContainer } from './oci-archive.ts'
import { type OpenArchiveOptions, TarArchive } from './tar-archive.ts'

/** What a path turned out to hold. */
export type ContainerKind = 'layout' | 'archive' | 'oci-archive' | 'docker-archive'

export interface OpenedContainer extends BundleContainer {
  readonly kind: ContainerKind
}

/**
 * Opens whatever there is at `path`: an OCI layout, an unpacked thick bundle, Sealift's archive, an oci-archive, a
 * thick bundle of another tool, a docker-archive.
 *
 * @throws CONTENT_NOT_FOUND (nothing there), LAYOUT_INVALID (a folder without a layout), ARCHIVE_INVALID (a file of
 * another kind: the message says which), and what the formats' own functions throw
 */
export async function openContainer(
  path: string,
  options: OpenArchiveOptions = {},
): Promise<OpenedContainer> {
  const { fs = nodeFileSystem } = options
  // Followed, where the path is a link: the user has named it.
  if ((await fs.stat(`${path}/.`))?.kind === 'directory') return openFolder(path, options)
  const kind = (await fs.stat(path))?.kind
  if (kind === undefined) throw failure('CONTENT_NOT_FOUND', `there is nothing at ${path}`)
  if (kind === 'other') throw failure('ARCHIVE_INVALID', `${path} is neither a file nor a folder`)
  if (await ArchiveReader.recognises(path, fs)) {
    return { kind: 'archive', ...(await openArchive(path, { fs })) }
  }
  return openFile(path, options)
}

async function openFolder(path: string, options: OpenArchiveOptions): Promise<OpenedContainer> {
  const { fs = nodeFileSystem } = options
  const holds = async (...names: string[]) => (await fs.stat(join(path, ...names)))?.kind === 'file'
  const repositoryName = repositoryNameFor(path)
  if (await holds('oci-layout')) {
    const layout = await openLayout(path, { fs, repositoryName })
    return { kind: 'layout', ...layout, bundle: async () => undefined }
  }
  if (await holds(layoutPath, 'oci-layout')) {
    const layout = await openLayout(join(path, layoutPath), { fs, repositoryName })
    const bundle = async (maxBytes: number) =>
      (await holds(bundlePath)) ? readFile(fs, join(path, bundlePath), maxBytes) : undefined
    return { kind: 'layout', ...layout, bundle }
  }
  const found = (await fs.list(path)).map(({ name }) => name)
  throw failure('LAYOUT_INVALID', `${path} is a folder, but no OCI layout: it holds ${listed(found)}`)
}

async function openFile(path: string, options: OpenArchiveOptions): Promise<OpenedContainer> {
  await assertMayBeTar(path, options)
  const tar = await TarArchive.open(path, options)
  try {
    if (holdsLayout(tar)) return { kind: 'oci-archive', ...(await ociContainer(tar)) }
    if (holdsDockerImages(tar)) return { kind: 'docker-archive', ...(await dockerContainer(tar, options)) }
    throw failure(
      'ARCHIVE_INVALID',
      `${path} is a tar, but holds neither an OCI layout nor Docker's images: it holds ${listed([...tar.index.paths()])}`,
    )
  } catch (error) {
    await tar.close()
    throw error
  }
}

/** What people take for an archive now and then, by its first bytes. */
const strangers: readonly (readonly [start: string, what: string])[] = [
  ['PK\x03\x04', 'a zip file'],
  ['BZh', 'compressed with bzip2'],
  ['\xfd7zXZ', 'compressed with xz'],
  ['7z\xbc\xaf', 'a 7-Zip file'],
  ['\x7fELF', 'an executable'],
  ['%PDF', 'a PDF document'],
  ['QFI\xfb', 'a QCOW2 disk image'],
  ['hsqs', 'a SquashFS image'],
  ['{', 'a JSON document'],
]

/** @throws ARCHIVE_INVALID where it is plain that the file is something else */
async function assertMayBeTar(path: string, options: OpenArchiveOptions): Promise<void> {
  const file = await (options.fs ?? nodeFileSystem).open(path, 'read')
  const head = new Uint8Array(8)
  const count = await file.read(head, 0).finally(() => file.close())
  const text = Buffer.from(head.subarray(0, count)).toString('latin1')
  const what = count === 0 ? 'empty' : strangers.find(([start]) => text.startsWith(start))?.[1]
  if (what !== undefined) throw failure('ARCHIVE_INVALID', `${path} is ${what}, not an archive of images`)
}

/** A few of the names, for a message: they come from outside, and may be many and long. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  const shown = names.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 60)))
  return `${shown.join(', ')}${names.length > shown.length ? `, and ${names.length - shown.length} more` : ''}`
}
