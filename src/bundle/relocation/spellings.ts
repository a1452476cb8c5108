import { formatReference, parseReference, type Reference } from '#oci/index.ts'

/**
 * All texts that name the same image as `text` does, itself first: with and without docker.io and library/, with
 * and without the tag where a digest is there, and the digest where a tag is there. Each is a key of its own in a
 * relocation mapping, as run tools look up what they were written with (103).
 *
 * @param digest that of the image, if known
 */
export function spellings(text: string, digest?: string): string[] {
  let reference: Reference
  try {
    reference = parseReference(text)
  } catch {
    return [text]
  }
  const { registry, repository, tag } = reference
  const known = reference.digest ?? digest
  const suffixes = new Set<string>([formatReference(reference).slice(`${registry}/${repository}`.length)])
  if (tag !== undefined) suffixes.add(`:${tag}`)
  if (known !== undefined) suffixes.add(`@${known}`)
  if (tag !== undefined && known !== undefined) suffixes.add(`:${tag}@${known}`)
  // No tag and no digest means latest (distribution/reference, TagNameOnly).
  if (tag === 'latest') suffixes.add('')
  if (tag === undefined && reference.digest === undefined) suffixes.add(':latest')
  const names = [`${registry}/${repository}`]
  if (registry === 'docker.io') {
    names.push(repository, `index.docker.io/${repository}`)
    const short = /^library\/([^/]+)$/.exec(repository)?.[1]
    if (short !== undefined) names.push(short, `docker.io/${short}`, `index.docker.io/${short}`)
  }
  return [...new Set([text, ...names.flatMap((name) => [...suffixes].map((suffix) => name + suffix))])]
}
