import { join } from 'node:path'
import { type Digest, digestAlgorithm, digestHex, isDigest } from '#oci/index.ts'

/**
 * Where things are in a data directory:
 *
 *     blobs/ALGORITHM/HH/HEX                          every content once
 *     repositories/NAME/_blobs/ALGORITHM-HEX          empty: this blob is in the repository
 *     repositories/NAME/_manifests/ALGORITHM-HEX      the media type: this manifest is
 *     repositories/NAME/_tags/TAG                     the digest
 *     repositories/NAME/_referrers/SUBJECT/MANIFEST   the referrer's descriptor
 *     repositories/NAME/_uploads/ID                   bytes received so far
 *
 * Components of a name never begin with an underscore, and names, tags and digests are parsed before they get here.
 */
export class DataPaths {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  get blobs(): string {
    return join(this.root, 'blobs')
  }
  get repositories(): string {
    return join(this.root, 'repositories')
  }
  blobDirectory(digest: Digest): string {
    return join(this.blobs, digestAlgorithm(digest), digestHex(digest).slice(0, 2))
  }
  blob(digest: Digest): string {
    return join(this.blobDirectory(digest), digestHex(digest))
  }
  repository(name: string): RepositoryPaths {
    return new RepositoryPaths(join(this.repositories, name))
  }
}

export class RepositoryPaths {
  readonly root: string
  constructor(root: string) {
    this.root = root
  }
  get blobLinks(): string {
    return join(this.root, '_blobs')
  }
  get manifestLinks(): string {
    return join(this.root, '_manifests')
  }
  get tags(): string {
    return join(this.root, '_tags')
  }
  get uploads(): string {
    return join(this.root, '_uploads')
  }
  blobLink(digest: Digest): string {
    return join(this.blobLinks, fileName(digest))
  }
  manifestLink(digest: Digest): string {
    return join(this.manifestLinks, fileName(digest))
  }
  tag(tag: string): string {
    return join(this.tags, tag)
  }
  get referrers(): string {
    return join(this.root, '_referrers')
  }
  referrersOf(subject: Digest): string {
    return join(this.referrers, fileName(subject))
  }
  upload(id: string): string {
    return join(this.uploads, id)
  }
}

export const fileName = (digest: Digest): string => digest.replace(':', '-')

/** The digest that a file name says, or undefined. */
export function digestFromName(name: string): Digest | undefined {
  const text = name.replace('-', ':')
  return isDigest(text) ? text : undefined
}
