import { isFailure } from '#base/index.ts'
import { parseReference, type Reference } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { ImageUse } from '../review/images.ts'

/** An image as several containers of one object use it. */
export interface UsedImage {
  /** As it is written. */
  readonly text: string
  readonly reference: Reference
  readonly uses: readonly ImageUse[]
}

/** Something that keeps one image out, in words for whoever wrote the pod. */
export interface Objection {
  /** Which image, and where: `container web (registry.example/shop/web:1)`. */
  readonly what: string
  readonly why: string
  readonly remedy?: string
  readonly code: string
}

/** The images of an object, each once, and those that are none. */
export function imagesByReference(uses: readonly ImageUse[]): {
  readonly images: readonly UsedImage[]
  readonly objections: readonly Objection[]
} {
  const byText = new Map<string, { text: string; reference: Reference; uses: ImageUse[] }>()
  const objections: Objection[] = []
  for (const use of uses) {
    const known = byText.get(use.image)
    if (known) {
      known.uses.push(use)
      continue
    }
    try {
      byText.set(use.image, { text: use.image, reference: referenceOf(use.image), uses: [use] })
    } catch (error) {
      objections.push(objectionOf(use.what, error))
    }
  }
  return { images: [...byText.values()], objections }
}

function referenceOf(image: string): Reference {
  if (image === '') throw failure('IMAGE_REFERENCE_INVALID', 'no image is named')
  try {
    return parseReference(image)
  } catch (cause) {
    throw failure('IMAGE_REFERENCE_INVALID', (cause as Error).message, { cause })
  }
}

/** What an error says about one image. Anything that is no failure of ours is thrown on. */
export function objectionOf(what: string, error: unknown): Objection {
  if (!isFailure(error)) throw error
  const { code, message, hint } = error
  return { what, code, why: message, ...(hint !== '' && { remedy: hint }) }
}

/** `container web, init container setup (IMAGE)` */
export function spokenOf({ text, uses }: UsedImage): string {
  const names = uses.slice(0, 3).map(({ what }) => what)
  const more = uses.length > 3 ? ` and ${uses.length - 3} more` : ''
  return `${names.join(', ')}${more} (${text})`
}

/** One line: control characters have no place in what a terminal and a log will show. */
export function lineOf({ what, why, remedy, code }: Objection): string {
  const line = `${what}: ${why} [${code}]${remedy === undefined ? '' : `; ${remedy}`}`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return line.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}
