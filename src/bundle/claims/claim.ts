import { Type } from 'typebox'
import { type Json, limits, parseJson } from '#base/index.ts'
import { bare, shapeProblems, tell } from '#base/shape/index.ts'
import { type Digest, isObject } from '#oci/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'

/** An action that was asked for, as it was asked (400). Never changed once written; holds no credential. */
export interface Claim {
  /** A ULID. */
  readonly id: string
  readonly installation: string
  /** A ULID: new with each action that modifies. */
  readonly revision: string
  readonly action: string
  readonly bundle: CnabBundle
  /** ISO 8601. */
  readonly created: string
  readonly bundleReference?: string
  readonly parameters: Readonly<Record<string, Json>>
  readonly custom?: Json
}

/** 400, result status. */
export type ResultStatus = 'canceled' | 'failed' | 'pending' | 'running' | 'succeeded' | 'unknown'

/** How far an action came (400). A later one of the same claim counts over an earlier one. */
export interface Result {
  /** A ULID. */
  readonly id: string
  readonly claimId: string
  readonly created: string
  readonly status: ResultStatus
  readonly message?: string
  readonly outputs?: Readonly<Record<string, { readonly contentDigest: Digest }>>
  readonly custom?: Json
}

const ulidText = Type.String({ pattern: '^[0-7][0-9A-HJKMNP-TV-Z]{25}$' })
const text = Type.String()
const claimSchema = Type.Object({
  id: ulidText,
  installation: text,
  revision: text,
  action: text,
  bundle: Type.Object({ name: text, version: text }),
  created: text,
  bundleReference: Type.Optional(text),
  parameters: Type.Record(text, Type.Unsafe<Json>({})),
})
const statuses: readonly ResultStatus[] = ['canceled', 'failed', 'pending', 'running', 'succeeded', 'unknown']
const resultSchema = Type.Object({
  id: ulidText,
  claimId: ulidText,
  created: text,
  status: Type.Enum([...statuses]),
  message: Type.Optional(text),
  outputs: Type.Optional(
    Type.Record(text, Type.Object({ contentDigest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }) })),
  ),
})

/** Reads a claim that this store wrote. @throws CLAIM_INVALID */
export const parseClaim = (bytes: Uint8Array): Claim => parse<Claim>(claimSchema, bytes, 'claim')

/** Reads a result that this store wrote. @throws CLAIM_INVALID */
export const parseResult = (bytes: Uint8Array): Result => parse<Result>(resultSchema, bytes, 'result')

function parse<T>(schema: Type.TSchema, bytes: Uint8Array, what: string): T {
  let value: Json
  try {
    // A claim holds its bundle, and the values of parameters beside it.
    value = parseJson(bytes, { maxBytes: 4 * limits.bundleBytes, maxDepth: 2 * limits.jsonDepth })
  } catch (cause) {
    throw failure('CLAIM_INVALID', `a stored ${what} cannot be read`, { cause })
  }
  const problems = isObject(value) ? shapeProblems(schema, bare(value)) : [{ path: '', why: 'is no object' }]
  if (problems.length > 0) throw failure('CLAIM_INVALID', `a stored ${what} is damaged: ${tell(problems)}`)
  return value as unknown as T
}
