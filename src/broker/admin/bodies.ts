import type { Static, TSchema } from 'typebox'
import { isFailure, type Json, parseJson, secretLimits } from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { failure } from '../codes.ts'
import type { Reply } from '../types.ts'

/** What an admin sent, as JSON of a shape. @throws BROKER_REQUEST_INVALID */
export function bodyOf<T extends TSchema>(schema: T, bytes: Uint8Array): Static<T> {
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes: 8 * secretLimits.valueBytes, maxDepth: 64 })
  } catch (error) {
    throw failure('BROKER_REQUEST_INVALID', isFailure(error) ? error.message : 'the request is not JSON')
  }
  const problems = shapeProblems(schema, value)
  if (problems.length > 0)
    throw failure('BROKER_REQUEST_INVALID', `the request is refused: ${tell(problems)}`)
  return value as Static<T>
}

/** Base64url without padding, as Trustee's clients send policies; padding is taken too. @throws BROKER_REQUEST_INVALID */
export function fromBase64Url(text: string): Uint8Array {
  const bare = text.replace(/={1,2}$/, '')
  const bytes = Buffer.from(bare, 'base64url')
  if (bytes.toString('base64url') !== bare) throw failure('BROKER_REQUEST_INVALID', 'it is not base64url')
  return bytes
}

export const jsonReply = (value: unknown): Reply => ({
  mediaType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
  noStore: true,
})

/** Trustee answers a change with nothing. */
export const emptyReply: Reply = { mediaType: 'application/json', body: new Uint8Array(), noStore: true }
