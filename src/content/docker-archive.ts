import type { Digest } from '#oci/index.ts'
import { failure } from './codes.ts'
import { type DockerImage, dockerManifestPath, readDockerImages } from './docker-images.ts'
import { repositoryNameFor } from './layout.ts'
import { type BundleContainer, holdsLayout, ociContainer } from './oci-archive.ts'
import { bytesReader, clampRange } from './readers.ts'
import { RootedRepositories, RootedSource } from './rooted-repositories.ts'
import { type OpenArchiveOptions, TarArchive } from './tar-archive.ts'
import type { TarFile } from './tar-index.ts'
import type { ByteRange, CallOptions, Root } from './types.ts'

/**
 * Opens what `docker save`, `podman save` or skopeo's docker-archive wrote. Where there is an OCI layout in it (Docker
 * since 25), that counts: it has the digests that a registry knows. Otherwise the images get OCI manifests, made of
 * what is there: always the same ones for the same file.
 *
 * @throws ARCHIVE_INVALID, ARCHIVE_HOSTILE, CONTENT_DAMAGED (a config or compressed layer that is not what the file
 * says), DISK_FULL, FILE_SYSTEM
 */
export async function openDockerArchive(
  path: string,
  options: OpenArchiveOptions = {},
): Promise<BundleContainer> {
  const tar = await TarArchive.open(path, options)
  try {
    return await (holdsLayout(tar) ? ociContainer(tar) : dockerContainer(tar, options))
  } catch (error) {
    await tar.close()
    throw error
  }
}

/** Whether there is Docker's manifest.json in the tar. */
export const holdsDockerImages = (tar: TarArchive): boolean =>
  tar.index.follow(dockerManifestPath) !== undefined

/** The container over an open tar, which it closes. @throws as `openDockerArchive` */
export async function dockerContainer(tar: TarArchive, options: CallOptions = {}): Promise<BundleContainer> {
  const images = await readDockerImages(tar, options)
  const contents = contentsOf(images)
  const roots = rootsOf(images)
  const rooted = {
    roots: async () => roots,
    size: async (digest: Digest) => {
      const content = contents.get(digest)
      return content instanceof Uint8Array ? content.length : content?.size
    },
    open: async (digest: Digest, range?: ByteRange) => {
      const content = contents.get(digest)
      if (!content) throw failure('CONTENT_NOT_FOUND', `${tar.path} does not hold ${digest}`)
      if (!(content instanceof Uint8Array)) return tar.open(content, range)
      const { offset, length } = clampRange(content.length, range)
      return bytesReader(content.subarray(offset, offset + length))
    },
  }
  const repositories = new RootedRepositories(rooted, repositoryNameFor(tar.path))
  return {
    roots: rooted.roots,
    source: new RootedSource(rooted),
    repository: (name) => repositories.repository(name),
    names: (page) => repositories.names(page),
    async *contents() {
      for (const [digest, content] of contents) {
        yield { digest, size: content instanceof Uint8Array ? content.length : content.size }
      }
    },
    bundle: async () => undefined,
    close: () => tar.close(),
  }
}

/** Manifests are in memory, everything else is in the tar. */
function contentsOf(images: readonly DockerImage[]): ReadonlyMap<Digest, Uint8Array | TarFile> {
  const contents = new Map<Digest, Uint8Array | TarFile>()
  for (const { manifest, manifestBytes, files } of images) {
    contents.set(manifest.digest, manifestBytes)
    for (const { descriptor, file } of files) {
      const known = contents.get(descriptor.digest)
      if (known && 'offset' in known && known.size !== file.size) {
        throw failure('ARCHIVE_INVALID', `${known.path} and ${file.path} have one digest, but not one size`)
      }
      contents.set(descriptor.digest, file)
    }
  }
  return contents
}

function rootsOf(images: readonly DockerImage[]): readonly Root[] {
  const roots: Root[] = []
  const names = new Set<string>()
  for (const { manifest, references } of images) {
    if (references.length === 0) roots.push({ descriptor: manifest })
    for (const reference of references) {
      if (names.has(reference)) throw failure('ARCHIVE_INVALID', `two images have the name ${reference}`)
      names.add(reference)
      roots.push({ descriptor: manifest, reference })
    }
  }
  return roots
}
