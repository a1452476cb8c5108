import { type Digest, isDigest } from '#oci/index.ts'
import { type Exchange, referenceOf } from '../exchange.ts'
import { Refusal } from '../refusal.ts'

/** The repository in the path; the route has checked it. */
export function repositoryOf({ route }: Exchange): string {
  return 'repository' in route ? route.repository : ''
}

/** What the path names: a digest, tag or upload, as the client wrote it. */
export const namedIn = ({ route }: Exchange): string => referenceOf(route) ?? ''

/** @throws Refusal 400 */
export function digestFrom(text: string | null): Digest {
  if (isDigest(text)) return text
  const message =
    text === null ? 'the parameter digest is missing' : 'it is not a digest of a supported algorithm'
  throw new Refusal(400, 'DIGEST_INVALID', message, { detail: { supported: ['sha256', 'sha384', 'sha512'] } })
}

/** RFC 9110 section 13.1.2: whether the client has this content already. */
export function matchesEtag(header: string | undefined, digest: Digest): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${digest}"`)
}
