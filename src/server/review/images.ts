import { type AdmissionLimits, admissionLimits, type Json } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { JsonObject, Review } from './review.ts'

/** One place in an object that names an image which will run, or be mounted. */
export interface ImageUse {
  /** Where the text is, as a JSON Pointer (RFC 6901): what a patch replaces. */
  readonly pointer: string
  /** As people speak of it: `container web`, `init container setup`, `volume models`. */
  readonly what: string
  /** As it is written. */
  readonly image: string
  /** The same in an object and its old self where the same container is meant. */
  readonly key: string
}

type Path = readonly (string | number)[]

/** Where the kinds of Kubernetes keep their pod; those of others are searched for one. */
const podPaths: Readonly<Record<string, Path>> = {
  '/v1/Pod': ['spec'],
  '/v1/PodTemplate': ['template', 'spec'],
  '/v1/ReplicationController': ['spec', 'template', 'spec'],
  'apps/v1/Deployment': ['spec', 'template', 'spec'],
  'apps/v1/StatefulSet': ['spec', 'template', 'spec'],
  'apps/v1/DaemonSet': ['spec', 'template', 'spec'],
  'apps/v1/ReplicaSet': ['spec', 'template', 'spec'],
  'batch/v1/Job': ['spec', 'template', 'spec'],
  'batch/v1/CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
}

const lists = {
  initContainers: 'init container',
  containers: 'container',
  ephemeralContainers: 'ephemeral container',
} as const

/**
 * Every image in an object of a kind: of containers of all sorts and of image volumes. A pod of another shape than
 * Kubernetes gives it is refused, not skipped.
 *
 * @throws REVIEW_INVALID, REVIEW_TOO_LARGE
 */
export function imagesIn(
  kind: string,
  object: JsonObject,
  limits: AdmissionLimits = admissionLimits,
): readonly ImageUse[] {
  const found: ImageUse[] = []
  const path = podPaths[kind]
  if (path === undefined) {
    for (const pod of podsWithin(object)) collect(pod.spec, pod.path, found)
  } else {
    const spec = at(object, path)
    // A ReplicationController may come without a template (core/v1, ReplicationControllerSpec).
    if (spec !== undefined && spec !== null) collect(spec, path, found)
    else if (kind !== '/v1/ReplicationController') {
      throw failure('REVIEW_INVALID', `${kind} holds no pod at ${pointerOf(path)}`)
    }
  }
  if (found.length > limits.images) {
    throw failure('REVIEW_TOO_LARGE', `${found.length} containers are more than ${limits.images}`)
  }
  return found
}

/** The images that a review brings in: on UPDATE only those that the same container did not have before. */
export function newImages(review: Review, limits: AdmissionLimits = admissionLimits): readonly ImageUse[] {
  if (review.operation === 'DELETE' || review.operation === 'CONNECT' || review.object === undefined)
    return []
  const now = imagesIn(review.kind, review.object, limits)
  if (review.operation === 'CREATE' || review.oldObject === undefined) return now
  const before = new Map(imagesIn(review.kind, review.oldObject, limits).map((use) => [use.key, use.image]))
  return now.filter(({ key, image }) => before.get(key) !== image)
}

function collect(spec: Json, path: Path, found: ImageUse[]): void {
  const where = pointerOf(path)
  if (!isObject(spec)) throw failure('REVIEW_INVALID', `${where} is not an object`)
  refuseLookalikes(spec, where)
  for (const [list, word] of Object.entries(lists)) {
    for (const [index, item] of entriesOf(spec[list], `${where}/${list}`)) {
      found.push(useOf(item, word, [...path, list, index, 'image'], [...path, list]))
    }
  }
  for (const [index, volume] of entriesOf(spec.volumes, `${where}/volumes`)) {
    const { image } = volume
    if (image === undefined || image === null) continue
    if (!isObject(image)) throw failure('REVIEW_INVALID', `${where}/volumes/${index}/image is not an object`)
    const use = { name: volume.name ?? null, image: image.reference ?? null }
    found.push(useOf(use, 'volume', [...path, 'volumes', index, 'image', 'reference'], [...path, 'volumes']))
  }
}

function useOf(item: JsonObject, word: string, place: Path, list: Path): ImageUse {
  const { name, image } = item
  const pointer = pointerOf(place)
  if (typeof name !== 'string')
    throw failure('REVIEW_INVALID', `${pointer} belongs to a ${word} without a name`)
  if (image !== undefined && image !== null && typeof image !== 'string') {
    throw failure('REVIEW_INVALID', `${pointer} is not a text`)
  }
  return {
    pointer,
    what: `${word} ${name}`,
    image: image ?? '',
    key: JSON.stringify([pointerOf(list), name]),
  }
}

/** The API server leaves out what is empty, or says null. */
function* entriesOf(value: Json | undefined, where: string): Generator<[number, JsonObject]> {
  if (value === undefined || value === null) return
  if (!Array.isArray(value)) throw failure('REVIEW_INVALID', `${where} is not a list`)
  for (const [index, item] of value.entries()) {
    if (!isObject(item)) throw failure('REVIEW_INVALID', `${where}/${index} is not an object`)
    refuseLookalikes(item, `${where}/${index}`)
    yield [index, item]
  }
}

const members = new Set(['initContainers', 'containers', 'ephemeralContainers', 'volumes', 'image', 'name'])
const folded = new Map([...members].map((member) => [member.toLowerCase(), member]))

/** Go's encoding/json takes `Containers` for `containers` where it is not told otherwise: nobody means that. */
function refuseLookalikes(object: JsonObject, where: string): void {
  for (const key of Object.keys(object)) {
    const member = folded.get(key.toLowerCase())
    if (member === undefined || member === key) continue
    throw failure('REVIEW_INVALID', `${where} has a member that is spelled like ${member}, but not quite`)
  }
}

/** In a kind that is not known: every object with a list of containers that name images, or with image volumes. */
function* podsWithin(value: Json, path: Path = []): Generator<{ spec: Json; path: Path }> {
  if (typeof value !== 'object' || value === null) return
  if (isObject(value) && looksLikePod(value)) yield { spec: value, path }
  const children = Array.isArray(value) ? value.entries() : Object.entries(value)
  for (const [key, child] of children) yield* podsWithin(child, [...path, key])
}

function looksLikePod(value: JsonObject): boolean {
  const hasImages = (list: string) =>
    Array.isArray(value[list]) && (value[list] as Json[]).some((item) => isObject(item) && 'image' in item)
  if (Object.keys(lists).some(hasImages)) return true
  const { volumes } = value
  return Array.isArray(volumes) && volumes.some((volume) => isObject(volume) && isObject(volume.image))
}

function at(value: Json, path: Path): Json | undefined {
  let here: Json | undefined = value
  for (const [depth, part] of path.entries()) {
    if (here === undefined || here === null) return undefined
    if (!isObject(here)) {
      throw failure('REVIEW_INVALID', `${pointerOf(path.slice(0, depth))} is not an object`)
    }
    here = here[part]
  }
  return here
}

/** RFC 6901 section 3. */
const pointerOf = (path: Path): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
