import { hash } from 'node:crypto'
import {
  type Digest,
  digestHex,
  formatReference,
  isDigest,
  makeReference,
  parseReference,
  type Reference,
} from '#oci/index.ts'
import type { BundleImage, CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { bundleImages, digestIn, isImageWithManifest, type RelocationMapping } from './mapping.ts'
import { spellings } from './spellings.ts'

/** One image on its way. */
export interface RelocatedImage {
  /** As the bundle has it; several entries of one reference travel as one. */
  readonly image: BundleImage
  /** Of the manifest. */
  readonly digest: Digest
  /** Without tag, with the digest. */
  readonly to: Reference
  /** What names it there, so that no clean-up of untagged manifests takes it away. */
  readonly tags: readonly string[]
}

export interface RelocationPlan {
  readonly images: readonly RelocatedImage[]
  readonly mapping: RelocationMapping
}

/** Longest repository name that registries take (distribution/reference, NameTotalLengthMax). */
const nameLength = 255

/**
 * Where every image of a bundle goes: PREFIX/PATH@DIGEST, where PATH is the repository of the original without its
 * registry. Digests stay what they are, so two originals that share a path (of two registries) share a repository
 * and are never confused: the mapping names digests only. Tags there are for people and clean-ups: the original
 * one where nothing else in the bundle wants it, and `sealift-` with the first 16 digits of the digest.
 *
 * @param to REGISTRY or REGISTRY/PREFIX
 * @throws IMAGE_UNPINNED where the digest of a manifest is not known, RELOCATION_INVALID where `to` is no place
 */
export function relocationPlan(bundle: CnabBundle, { to }: { readonly to: string }): RelocationPlan {
  const [registry = '', ...prefix] = to.replace(/\/+$/, '').split('/')
  const images = new Map<string, RelocatedImage>()
  const wanted = tagOwners(bundle)
  for (const image of bundleImages(bundle)) {
    if (images.has(image.image)) continue
    const digest = manifestDigest(image)
    const { path, tag } = originOf(image.image)
    const repository = shorten([...prefix, path].join('/'))
    let place: Reference
    try {
      place = makeReference({ registry, repository, digest })
    } catch (cause) {
      throw failure('RELOCATION_INVALID', `${to} is not a place for ${image.image}`, { cause })
    }
    const isAlone = tag !== undefined && wanted.get(`${repositoryKey(path)}:${tag}`)?.size === 1
    const tags = [...(isAlone ? [tag] : []), `sealift-${digestHex(digest).slice(0, 16)}`]
    images.set(image.image, { image, digest, to: place, tags })
  }
  return { images: [...images.values()], mapping: mappingOf([...images.values()]) }
}

/** The digest of an image's manifest: named by its reference, or, for images, by contentDigest. @throws IMAGE_UNPINNED */
export function manifestDigest({ image, imageType, contentDigest }: BundleImage): Digest {
  const named = digestIn(image)
  const digest = named ?? (isImageWithManifest(imageType) ? contentDigest : undefined)
  if (isDigest(digest)) return digest
  throw failure('IMAGE_UNPINNED', `${image} is not pinned to a digest`, { detail: { image } })
}

/** Which digests want a tag in a repository of that path. */
function tagOwners(bundle: CnabBundle): Map<string, Set<string>> {
  const owners = new Map<string, Set<string>>()
  for (const image of bundleImages(bundle)) {
    const { path, tag } = originOf(image.image)
    if (tag === undefined) continue
    const key = `${repositoryKey(path)}:${tag}`
    owners.set(key, (owners.get(key) ?? new Set()).add(manifestDigest(image)))
  }
  return owners
}

const repositoryKey = (path: string): string => path.toLowerCase()

/** A reference that is none of a registry, such as a URL of a VM image, gets a path from its hash. */
function originOf(text: string): { path: string; tag?: string } {
  try {
    const { repository, tag, digest } = parseReference(text)
    return { path: repository, ...((tag ?? (digest ? undefined : 'latest')) && { tag: tag ?? 'latest' }) }
  } catch {
    return { path: `other/${hash('sha256', text).slice(0, 32)}` }
  }
}

function shorten(name: string): string {
  if (name.length <= nameLength) return name
  const mark = hash('sha256', name).slice(0, 16)
  // Cut where a component still ends in a letter or digit.
  return `${name.slice(0, nameLength - mark.length - 1).replace(/[^a-z0-9]+$/, '')}-${mark}`
}

/** Each original under all its spellings. What a bundle writes itself always counts; a spelling two share, never. */
function mappingOf(images: readonly RelocatedImage[]): RelocationMapping {
  const mapping = new Map<string, string>()
  const shared = new Set<string>()
  for (const { image, digest, to } of images) {
    for (const spelling of spellings(image.image, digest)) {
      const place = formatReference(to)
      const other = mapping.get(spelling)
      if (other !== undefined && other !== place) shared.add(spelling)
      mapping.set(spelling, place)
    }
  }
  for (const spelling of shared) mapping.delete(spelling)
  for (const { image, to } of images) mapping.set(image.image, formatReference(to))
  return Object.fromEntries([...mapping].sort(([a], [b]) => (a < b ? -1 : 1)))
}
