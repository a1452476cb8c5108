import { type Static, Type } from 'typebox'

const closed = { additionalProperties: false } as const
const optional = Type.Optional
const oneOf = <const T extends readonly string[]>(values: T) => Type.Enum([...values] as T[number][])

const name = Type.String({ pattern: '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$' })
const line = Type.String({ minLength: 1, maxLength: 1000 })
const path = Type.String({ minLength: 1, maxLength: 4096 })
/** RFC 3339 in UTC, as everywhere in evidence. */
const time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$' })
const age = Type.String({ pattern: '^[1-9][0-9]{0,4}[mhdw]$' })
const hex = (digits: string) => Type.String({ pattern: `^[0-9a-f]{${digits}}$` })

/** A public key: exactly one of `file` and `pem`. */
const keySchema = Type.Object(
  {
    file: optional(path),
    pem: optional(Type.String({ maxLength: 16_384 })),
    validFrom: optional(time),
    validUntil: optional(time),
    revokedAt: optional(time),
  },
  closed,
)

const rootSchema = Type.Object(
  { file: path, issuers: optional(Type.Array(line, { minItems: 1, maxItems: 100 })) },
  closed,
)

/** Exactly one of the three. */
const revocationSchema = Type.Object(
  {
    keyId: optional(hex('64')),
    certificate: optional(Type.Object({ issuerKeyId: hex('2,128'), serial: hex('1,64') }, closed)),
    proof: optional(Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })),
  },
  closed,
)

/** A key by its name, or an identity (exact or a pattern) by the issuer who vouches for it. */
const signerSchema = Type.Object(
  {
    key: optional(name),
    identity: optional(line),
    identityPattern: optional(line),
    issuer: optional(line),
    root: optional(name),
  },
  closed,
)

const clause = {
  /** How many different signers; 1 where it is not said. */
  atLeast: optional(Type.Integer({ minimum: 1, maximum: 100 })),
  from: Type.Array(signerSchema, { minItems: 1, maxItems: 100 }),
  /** How long ago it may have been signed, by proved time: `30m`, `12h`, `90d`, `4w`. */
  maxAge: optional(age),
}

export const severities = ['none', 'low', 'medium', 'high', 'critical'] as const

const attestationSchema = Type.Object(
  { type: line, ...clause, maxSeverity: optional(oneOf(severities)) },
  closed,
)

export const actionNames = ['pack', 'load', 'serve', 'relocate', 'install', 'admit', 'release'] as const
export const environmentNames = ['build', 'trial', 'production'] as const
const roles = Type.Array(oneOf(['owner', 'releaser', 'courier', 'operator', 'auditor']), { minItems: 1 })

const ruleSchema = Type.Object(
  {
    name: optional(line),
    content: Type.Union([line, Type.Array(line, { minItems: 1, maxItems: 100 })]),
    actions: optional(Type.Array(oneOf(actionNames), { minItems: 1 })),
    environments: optional(Type.Array(oneOf(environmentNames), { minItems: 1 })),
    signatures: optional(Type.Array(Type.Object(clause, closed), { minItems: 1, maxItems: 100 })),
    attestations: optional(Type.Array(attestationSchema, { minItems: 1, maxItems: 100 })),
    /** Has to be said where nothing is asked for. */
    unsigned: optional(Type.Literal(true)),
    roles: optional(
      Type.Object(Object.fromEntries(actionNames.map((action) => [action, optional(roles)])), closed),
    ),
  },
  closed,
)

export const trustPolicySchema = (mostRules: number) =>
  Type.Object(
    {
      apiVersion: Type.Literal('sealift.dev/v1'),
      kind: Type.Literal('TrustPolicy'),
      name,
      keys: optional(Type.Record(name, keySchema, closed)),
      trustedRoots: optional(Type.Record(name, rootSchema, closed)),
      revoked: optional(Type.Array(revocationSchema, { maxItems: 10_000 })),
      /** Whose signed overrides let in what the rules do not; nobody's where it is not said. */
      overrides: optional(Type.Object({ from: clause.from }, closed)),
      /** What release records are held against. */
      releases: optional(
        Type.Object(
          {
            /** `refuse` where it is not said: an older release after a newer one stays out. */
            rollback: optional(oneOf(['refuse', 'allow'])),
            /** `required`: the date by which a release promised the next one must not have passed. */
            freshness: optional(oneOf(['required', 'ignored'])),
          },
          closed,
        ),
      ),
      rules: Type.Array(ruleSchema, { minItems: 1, maxItems: mostRules }),
      /** Files in Rego: package sealift.custom, whose `deny` adds objections. */
      rego: optional(Type.Array(path, { minItems: 1, maxItems: 100 })),
    },
    closed,
  )

export type TrustPolicyDocument = Static<ReturnType<typeof trustPolicySchema>>
export type RuleDocument = TrustPolicyDocument['rules'][number]
export type ClauseDocument = NonNullable<RuleDocument['signatures']>[number]
export type SignerDocument = ClauseDocument['from'][number]
