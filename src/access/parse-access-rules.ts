import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { parse } from 'yaml'
import { canonicalJson, type Json, limits, parseJson } from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { failure } from './codes.ts'
import { isGrantee, isMember, isPrincipalName } from './principal.ts'
import { isRepositoryPattern } from './repository-pattern.ts'
import { roles } from './roles.ts'
import type { AccessRules } from './types.ts'

const closed = { additionalProperties: false }
const texts = Type.Array(Type.String(), { minItems: 1, uniqueItems: true })
const schema = Type.Object(
  {
    version: Type.Literal(1),
    groups: Type.Optional(Type.Record(Type.String(), texts)),
    grants: Type.Array(Type.Object({ role: Type.Enum([...roles]), to: texts, repositories: texts }, closed)),
  },
  closed,
)

/**
 * A file of access rules (docs/access.md). Whatever is not known in it is refused: a rule that is passed over is one
 * that somebody relies on.
 *
 * @throws ACCESS_RULES_INVALID
 */
export function parseAccessRules(
  text: string,
  bounds: { readonly accessRulesBytes: number; readonly accessGrants: number } = limits,
): AccessRules {
  const bytes = Buffer.byteLength(text)
  if (bytes > bounds.accessRulesBytes)
    throw invalid(`they have ${bytes} bytes, over the limit of ${bounds.accessRulesBytes}`)
  const value = readYaml(text, bounds.accessRulesBytes)
  const problems = shapeProblems(schema, value)
  if (problems.length > 0) throw invalid(tell(problems))
  const { grants, groups = {} } = value as unknown as Static<typeof schema>
  if (grants.length > bounds.accessGrants) throw invalid(`there are more than ${bounds.accessGrants} grants`)
  checkNames(grants, groups)
  const digest = createHash('sha256').update(canonicalJson({ grants, groups })).digest('hex')
  return { digest: `sha256:${digest}`, grants, groups }
}

function checkNames(
  grants: Static<typeof schema>['grants'],
  groups: Readonly<Record<string, readonly string[]>>,
): void {
  for (const [name, members] of Object.entries(groups)) {
    if (!isPrincipalName(name)) throw invalid(`${JSON.stringify(name)} cannot be the name of a group`)
    const wrong = members.find((member) => !isMember(member))
    if (wrong !== undefined) throw invalid(`${JSON.stringify(wrong)} cannot be a member of the group ${name}`)
  }
  for (const [at, { to, repositories }] of grants.entries()) {
    const nobody = to.find((grantee) => !isGrantee(grantee))
    if (nobody !== undefined)
      throw invalid(`/grants/${at}: ${JSON.stringify(nobody)} is nobody to whom roles are given`)
    const wrong = repositories.find((pattern) => !isRepositoryPattern(pattern))
    if (wrong !== undefined)
      throw invalid(`/grants/${at}: ${JSON.stringify(wrong)} is not a repository pattern`)
  }
}

/** YAML with only what JSON has: no aliases, which can grow without end, and no key twice. */
function readYaml(text: string, maxBytes: number): Json {
  let value: unknown
  try {
    value = parse(text, {
      maxAliasCount: 0,
      prettyErrors: false,
      strict: true,
      uniqueKeys: true,
      logLevel: 'error',
    })
  } catch (cause) {
    const { pos } = cause as { pos?: readonly [number, number] }
    const line = pos ? `, line ${text.slice(0, pos[0]).split('\n').length}` : ''
    throw failure('ACCESS_RULES_INVALID', `the access rules are not YAML${line}`, { cause })
  }
  try {
    return parseJson(canonicalJson(value ?? null), { maxBytes: 6 * maxBytes })
  } catch (cause) {
    // An infinite number, a key that is none, a depth beyond the limit.
    throw failure('ACCESS_RULES_INVALID', 'the access rules hold what JSON cannot', { cause })
  }
}

const invalid = (why: string) => failure('ACCESS_RULES_INVALID', `the access rules are refused: ${why}`)
