import { Type } from 'typebox'
import { shapeProblems } from '#base/shape/index.ts'
import type { Digest } from '#oci/index.ts'
import type { SignerFacts, SubjectEvidence } from '#trust/index.ts'

/** Predicate type of the statement by which somebody answers for letting a content in against the rules. */
export const overridePredicate = 'https://sealift.dev/override/v1'

/** Break glass: who answers for it, why, and until when. */
export interface Override {
  /** The person, as they are called; the signature says whose word it is. */
  readonly person: string
  readonly reason: string
  /** RFC 3339: it counts until then. */
  readonly notAfter: string
  /** Only for these; for all where it is not said. */
  readonly actions?: readonly string[]
  readonly environments?: readonly string[]
}

const text = Type.String({ minLength: 1, maxLength: 1000 })
const names = Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 16 })
export const overrideSchema = Type.Object(
  {
    person: text,
    reason: text,
    notAfter: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$' }),
    actions: Type.Optional(names),
    environments: Type.Optional(names),
  },
  { additionalProperties: false },
)

/** An override as a policy sees it: the policy says whose count. */
export interface ProvedOverride extends Override {
  readonly subjects: readonly Digest[]
  readonly signer: SignerFacts
}

/** The overrides among good proofs. One that is malformed is none. */
export function overridesIn({ subject, attestations }: SubjectEvidence): ProvedOverride[] {
  return attestations.flatMap(({ predicateType, predicate, signer }) => {
    if (predicateType !== overridePredicate || predicate === undefined) return []
    if (shapeProblems(overrideSchema, predicate).length > 0) return []
    return [{ ...(predicate as unknown as Override), subjects: [subject.digest], signer }]
  })
}
