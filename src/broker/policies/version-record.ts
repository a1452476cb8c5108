import { type Static, Type } from 'typebox'
import { canonicalJson, type Json, parseJson, policyLimits } from '#base/index.ts'
import { shapeProblems } from '#base/shape/index.ts'
import { failure } from './codes.ts'
import type { PolicyName, PolicyVersion } from './types.ts'

const closed = { additionalProperties: false }
const version = Type.Integer({ minimum: 1 })
const recordSchema = Type.Object(
  {
    version,
    files: Type.Array(Type.Object({ path: Type.String(), text: Type.String() }, closed), { minItems: 1 }),
    digest: Type.String(),
    at: Type.Integer({ minimum: 0 }),
    by: Type.String(),
    replaces: Type.Optional(version),
    rollbackOf: Type.Optional(version),
  },
  closed,
)
const headSchema = Type.Object({ version }, closed)

type Record = Static<typeof recordSchema>

export const formatVersion = ({ name: _, at, files, ...rest }: PolicyVersion): Uint8Array =>
  canonicalJson({
    ...rest,
    at: at.getTime(),
    files: files.map(({ path, text }) => ({ path, text })),
  } as unknown as Json)

/** @throws POLICY_RECORD_INVALID */
export function parseVersion(name: PolicyName, bytes: Uint8Array): PolicyVersion {
  const { at, ...record } = parse<Record>(recordSchema, bytes, name)
  return { ...record, name, at: new Date(at) }
}

export const formatHead = (number: number): Uint8Array => canonicalJson({ version: number })

/** @throws POLICY_RECORD_INVALID */
export const parseHead = (name: PolicyName, bytes: Uint8Array): number =>
  parse<{ version: number }>(headSchema, bytes, name).version

function parse<T>(schema: Type.TSchema, bytes: Uint8Array, name: PolicyName): T {
  try {
    // Control characters in a text take six bytes in JSON.
    const value = parseJson(bytes, { maxBytes: 6 * policyLimits.bytes + 64 * 1024, maxDepth: 8 })
    if (shapeProblems(schema, value).length === 0) return value as T
  } catch {
    // Told below.
  }
  throw failure('POLICY_RECORD_INVALID', `a record of the policy ${name} is damaged`)
}
