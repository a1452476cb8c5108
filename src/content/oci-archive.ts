import { limits, parseJson } from '#base/index.ts'
import { type Descriptor, type Digest, isDigest, isObject, parseDescriptor } from '#oci/index.ts'
import { bundlePath, layoutPath } from './archive/format.ts'
import { failure } from './codes.ts'
import { repositoryNameFor, rootOf } from './layout.ts'
import { layoutBlobPath } from './layout-files.ts'
import { RootedRepositories, RootedSource } from './rooted-repositories.ts'
import { type OpenArchiveOptions, TarArchive } from './tar-archive.ts'
import type { TarFile } from './tar-index.ts'
import type { ByteRange, Container } from './types.ts'

/** A container that may hold a CNAB bundle. */
export interface BundleContainer extends Container {
  /** The bytes of bundle.json, where there is one; not bound by any digest in here. */
  bundle(maxBytes: number): Promise<Uint8Array | undefined>
}

/**
 * Opens a tar, compressed through or not, of an OCI layout: at its root (skopeo's and podman's oci-archive,
 * BuildKit's type=oci, `docker save` since 25) or under artifacts/layout/ (CNAB thick bundles, spec 104).
 *
 * @throws LAYOUT_INVALID, ARCHIVE_INVALID, ARCHIVE_HOSTILE, DISK_FULL, FILE_SYSTEM
 */
export async function openOciArchive(
  path: string,
  options: OpenArchiveOptions = {},
): Promise<BundleContainer> {
  const tar = await TarArchive.open(path, options)
  try {
    return await ociContainer(tar)
  } catch (error) {
    await tar.close()
    throw error
  }
}

/** Whether there is a layout in the tar. */
export const holdsLayout = (tar: TarArchive): boolean => prefixOf(tar) !== undefined

/** The container over an open tar, which it closes. @throws LAYOUT_INVALID */
export async function ociContainer(tar: TarArchive): Promise<BundleContainer> {
  const prefix = prefixOf(tar)
  if (prefix === undefined) throw failure('LAYOUT_INVALID', `${tar.path} holds no oci-layout`)
  await assertVersion(tar, `${prefix}oci-layout`)
  const blobs = blobsOf(tar, prefix)
  const roots = (await readIndex(tar, `${prefix}index.json`)).map(rootOf)
  const rooted = {
    roots: async () => roots,
    size: async (digest: Digest) => blobs.get(digest)?.size,
    open: async (digest: Digest, range?: ByteRange) => {
      const entry = blobs.get(digest)
      if (!entry) throw failure('CONTENT_NOT_FOUND', `${tar.path} does not hold ${digest}`)
      return tar.open(entry, range)
    },
  }
  const repositories = new RootedRepositories(rooted, repositoryNameFor(tar.path))
  return {
    roots: rooted.roots,
    source: new RootedSource(rooted),
    repository: (name) => repositories.repository(name),
    names: (page) => repositories.names(page),
    async *contents() {
      for (const [digest, { size }] of blobs) yield { digest, size }
    },
    bundle: (maxBytes) => tar.read(bundlePath, maxBytes),
    close: () => tar.close(),
  }
}

function prefixOf(tar: TarArchive): string | undefined {
  return ['', `${layoutPath}/`].find((prefix) => tar.index.file(`${prefix}oci-layout`))
}

async function assertVersion(tar: TarArchive, path: string): Promise<void> {
  const maxBytes = limits.manifestBytes
  const body = parseJson((await tar.read(path, maxBytes)) ?? new Uint8Array(0), { maxBytes })
  const version = isObject(body) ? body.imageLayoutVersion : undefined
  if (typeof version !== 'string' || !version.startsWith('1.')) {
    throw failure('LAYOUT_INVALID', `${tar.path} is not an OCI image layout of version 1`)
  }
}

async function readIndex(tar: TarArchive, path: string): Promise<Descriptor[]> {
  const maxBytes = tar.limits.layoutIndexBytes
  const bytes = await tar.read(path, maxBytes)
  if (!bytes) throw failure('LAYOUT_INVALID', `${tar.path} holds no ${path}`)
  const body = parseJson(bytes, { maxBytes })
  if (!isObject(body) || !Array.isArray(body.manifests)) {
    throw failure('LAYOUT_INVALID', `${path} in ${tar.path} has no list of manifests`)
  }
  return body.manifests.map(parseDescriptor)
}

/** Every regular file whose path is a blob's. */
function blobsOf(tar: TarArchive, prefix: string): ReadonlyMap<Digest, TarFile> {
  const blobs = new Map<Digest, TarFile>()
  for (const path of tar.index.paths()) {
    const entry = tar.index.file(path)
    const [, algorithm, hex] = path.startsWith(prefix) ? path.slice(prefix.length).split('/') : []
    const digest = `${algorithm}:${hex}`
    if (entry && isDigest(digest) && path === prefix + layoutBlobPath(digest)) blobs.set(digest, entry)
  }
  return blobs
}
