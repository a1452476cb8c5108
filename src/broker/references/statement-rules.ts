import { type Static, Type } from 'typebox'
import { type FileSystem, isFailure, type Json, limits, nodeFileSystem, parseJson } from '#base/index.ts'
import { matchesIdentity, type PreparedTrust, prepareTrust } from '#trust/index.ts'
import { failure } from '../codes.ts'
import { readFileIn } from '../open-keyring.ts'

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1, maxLength: 1024 })
const path = Type.String({ minLength: 1, maxLength: 4096 })
const pointer = Type.String({ pattern: '^(/[^/]*)+$', maxLength: 1024 })

const signer = Type.Union([
  Type.Object({ key: text }, closed),
  Type.Object(
    {
      identity: Type.Optional(text),
      identityPattern: Type.Optional(text),
      issuer: Type.Optional(text),
      issuerPattern: Type.Optional(text),
    },
    { ...closed, minProperties: 2 },
  ),
])

const rule = Type.Object(
  {
    /** Whoever of them signed. */
    from: Type.Array(signer, { minItems: 1, maxItems: 100 }),
    /** Predicate type; our own where it is not said. */
    type: Type.Optional(text),
    /** Names that a statement of our own type may give; all where it is not said. */
    names: Type.Optional(Type.Array(text, { minItems: 1, maxItems: 1000 })),
    /**
     * For any other type: what becomes which value. A JSON pointer into the statement gives what is there, a list of
     * them a list, `subjects` a list of the digests of all subjects.
     */
    values: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1, maxLength: 1024 }),
        Type.Union([
          pointer,
          Type.Array(pointer, { minItems: 1, maxItems: 100 }),
          Type.Object({ subjects: text }, closed),
        ]),
        { minProperties: 1, maxProperties: 1000 },
      ),
    ),
    /** How long the values hold where the statement does not say; default 365. */
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 36_500 })),
  },
  closed,
)

/** `references.statements` of broker.yaml: whose signed statements become reference values, and which. */
export const statementsSchema = Type.Object(
  {
    /** Public keys (files) by name. */
    keys: Type.Optional(Type.Record(text, path, { maxProperties: 1000 })),
    /** Sigstore trusted roots by name, and whose identities each may vouch for. */
    roots: Type.Optional(
      Type.Record(
        text,
        Type.Object(
          {
            file: path,
            issuers: Type.Optional(Type.Array(text, { minItems: 1, maxItems: 100 })),
          },
          closed,
        ),
        { maxProperties: 100 },
      ),
    ),
    rules: Type.Array(rule, { minItems: 1, maxItems: 1000 }),
  },
  closed,
)

export type StatementsConfiguration = Static<typeof statementsSchema>
export type StatementRule = Static<typeof rule>

/** Who may say what the reference values are, ready to be asked. */
export interface StatementTrust {
  readonly trust: PreparedTrust
  readonly rules: readonly StatementRule[]
}

/** What a statement of ours says: `{"values": {NAME: VALUE}, "expires"?: TIME}`. */
export const referenceValuesType = 'https://sealift.dev/reference-values/v1'

/** What the shape alone cannot say. @returns what is wrong, or undefined */
export function statementsProblem({ keys = {}, rules }: StatementsConfiguration): string | undefined {
  for (const [at, { from, type = referenceValuesType, values, names }] of rules.entries()) {
    const where = `/references/statements/rules/${at}`
    const unknown = from.find((one) => 'key' in one && !Object.hasOwn(keys, one.key))
    if (unknown) return `${where}/from names a key that is not among the keys`
    const isNameless = (one: (typeof from)[number]) =>
      !('key' in one) &&
      ((one.identity ?? one.identityPattern) === undefined || (one.issuer ?? one.issuerPattern) === undefined)
    if (from.some(isNameless)) return `${where}/from has somebody without identity or issuer`
    const isOwn = type === referenceValuesType
    if (isOwn && values) return `${where}/values is for statements of another type`
    if (!isOwn && (!values || names))
      return `${where} says values, and no names, for statements of another type`
  }
  return undefined
}

/**
 * Reads the keys and roots.
 *
 * @throws BROKER_CONFIGURATION_INVALID, TRUST_MATERIAL_INVALID, TRUST_ROOT_INVALID, IDENTITY_PATTERN_INVALID, FILE_SYSTEM
 */
export async function openStatementTrust(
  directory: string,
  configuration: StatementsConfiguration,
  fs: FileSystem = nodeFileSystem,
): Promise<StatementTrust> {
  const problem = statementsProblem(configuration)
  if (problem !== undefined) throw failure('BROKER_CONFIGURATION_INVALID', problem)
  const { rules } = configuration
  const keys: { name: string; pem: string }[] = []
  for (const [name, file] of Object.entries(configuration.keys ?? {})) {
    const bytes = await readFileIn(directory, file, limits.keyBytes + 1, fs)
    keys.push({ name, pem: Buffer.from(bytes).toString() })
  }
  const roots: { name: string; root: Json; issuers?: string[] }[] = []
  for (const [name, { file, issuers }] of Object.entries(configuration.roots ?? {})) {
    const bytes = await readFileIn(directory, file, limits.manifestBytes + 1, fs)
    roots.push({ name, root: rootIn(bytes, file), ...(issuers && { issuers }) })
  }
  const trust = prepareTrust({ keys, roots })
  // A pattern that is none is told now, and not when the first statement comes.
  for (const from of rules.flatMap((one) => one.from)) isFrom(from, nobody)
  return { trust, rules }
}

function rootIn(bytes: Uint8Array, file: string): Json {
  try {
    return parseJson(bytes, { maxBytes: limits.manifestBytes })
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw failure('BROKER_CONFIGURATION_INVALID', `${file} is no trusted root: ${cause.message}`, { cause })
  }
}

type Signer = Parameters<typeof matchesIdentity>[0]['signer']
const nobody: Signer = { kind: 'certificate', root: '', identity: '', issuer: '', extensions: {} }

/** Whether this is the one that a rule means. */
export function isFrom(from: StatementRule['from'][number], by: Signer): boolean {
  if ('key' in from) return by.kind === 'key' && by.name === from.key
  return matchesIdentity({ signer: by }, from)
}
