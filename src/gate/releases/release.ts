import { Type } from 'typebox'
import { shapeProblems } from '#base/shape/index.ts'
import type { ProofFacts } from '#trust/index.ts'

/** Predicate type of the statement by which a publisher says: this is my release number so and so. */
export const releasePredicate = 'https://sealift.dev/release/v1'

/**
 * A publisher's releases are numbered, each number once and never back. `nextBy` is the promise by when there will
 * be another one: without a promise nobody can tell silence from a freeze.
 */
export interface Release {
  readonly product: string
  readonly sequence: number
  /** RFC 3339. */
  readonly issuedAt: string
  readonly nextBy?: string
}

const time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$' })
export const releaseSchema = Type.Object(
  {
    product: Type.String({ minLength: 1, maxLength: 255 }),
    sequence: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    issuedAt: time,
    nextBy: Type.Optional(time),
  },
  { additionalProperties: false },
)

/** A release that a good proof tells of, and whose it is. */
export interface ProvedRelease extends Release {
  /** Key id, or issuer and identity: who may count on. Never a name that anybody can choose. */
  readonly publisher: string
}

/** The release that these facts tell of, if they do. One that is malformed tells of none. */
export function releaseIn(facts: ProofFacts): ProvedRelease | undefined {
  if (facts.predicateType !== releasePredicate || facts.predicate === undefined) return undefined
  if (shapeProblems(releaseSchema, facts.predicate).length > 0) return undefined
  const { signer } = facts
  const publisher =
    signer.kind === 'key' ? `key:${signer.keyId}` : `certificate:${signer.issuer} ${signer.identity}`
  return { publisher, ...(facts.predicate as unknown as Release) }
}

/** Under which a release is remembered. */
export const releaseKey = ({ publisher, product }: ProvedRelease): string =>
  JSON.stringify([publisher, product])
