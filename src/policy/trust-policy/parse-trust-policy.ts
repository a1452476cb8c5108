import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isFailure, type Json, type PolicyLimits, parseJson, policyLimits } from '#base/index.ts'
import { bare, type Problem, pointer, shapeProblems } from '#base/shape/index.ts'
import { type Digest, isRegistryHost, isRepositoryName } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { compilePolicy } from '../compile.ts'
import { Engine } from '../engine/engine.ts'
import { locate } from '../engine/error-text.ts'
import { wordsOf } from '../rego-text.ts'
import type { Ignorable, Policy, PolicyFile } from '../types.ts'
import { anchored, compilePattern, compileRules, predicateTypes } from './compile-rules.ts'
import { type SignerDocument, type TrustPolicyDocument, trustPolicySchema } from './schema.ts'
import { invalid, parseYamlDocument, type YamlDocument } from './yaml-document.ts'

/** A trust policy ready to be asked: its rules, and what signatures are checked against. */
export interface TrustPolicy {
  readonly name: string
  readonly policy: Policy
  readonly keys: readonly PolicyKey[]
  readonly roots: readonly {
    readonly name: string
    readonly root: Json
    readonly issuers?: readonly string[]
  }[]
  readonly revoked: readonly PolicyRevocation[]
}

export interface PolicyKey {
  readonly name: string
  readonly pem: string
  readonly validFrom?: string
  readonly validUntil?: string
  readonly revokedAt?: string
}

export type PolicyRevocation =
  | { readonly keyId: string }
  | { readonly certificate: { readonly issuerKeyId: string; readonly serial: string } }
  | { readonly proof: Digest }

export interface TrustPolicySource {
  /** What messages call the policy. */
  readonly path: string
  /** Reads a file that the policy names, by the path as it stands there; at most so many bytes. */
  readFile(path: string, maxBytes: number): Promise<Uint8Array>
}

/** The rule that judges for every trust policy in YAML. */
export const trustRule = 'data.sealift.trust.decision'
/** In the sources it stands beside this file, in the published package beside the bundle. */
const rulesFile: PolicyFile = {
  path: 'sealift/trust.rego',
  get text() {
    rules ??= readFileSync(join(import.meta.dirname, 'trust.rego'), 'utf8')
    return rules
  },
}
let rules: string | undefined
const keyFileBytes = 64 * 1024
const rootFileBytes = 4 * 1024 * 1024
const namespace = 'sealift.custom'

/**
 * A trust policy in YAML, with all files that it names.
 *
 * @throws TRUST_POLICY_INVALID with `file`, `line` and `column` in its detail
 * @throws POLICY_SYNTAX and the other codes of `compilePolicy` for its files in Rego; what `readFile` throws
 */
export async function parseTrustPolicy(
  text: string,
  source: TrustPolicySource,
  limits: PolicyLimits = policyLimits,
): Promise<TrustPolicy> {
  const yaml = parseYamlDocument(text, source.path, limits.trustPolicyBytes)
  const refuse = (problems: readonly Problem[]) => {
    const [first] = problems
    if (first) throw refusal(source.path, yaml, problems, first)
  }
  refuse(shapeProblems(trustPolicySchema(limits.trustPolicyRules), bare(yaml.value)))
  const document = yaml.value as unknown as TrustPolicyDocument
  refuse(ruleProblems(document))
  const keys = await readKeys(document, source, (problem) => refuse([problem]))
  const roots = await readRoots(document, source, (problem) => refuse([problem]))
  const custom = await readCustom(document, source, (problem) => refuse([problem]))
  const readsClock = custom.some(({ text }) => [...wordsOf(text)].some((word) => word.text === 'time.now_ns'))
  const data = { trust_policy: compileRules(document, readsClock) }
  const ignores = ignoredBy(document)
  const policy = compilePolicy(
    [rulesFile, ...custom],
    { data, rule: trustRule, ignores, predicates: readBy(document) },
    limits,
  )
  const revoked = (document.revoked ?? []) as unknown as PolicyRevocation[]
  return { name: document.name, policy, keys, roots, revoked }
}

/** trust.rego looks at who asks where roles are asked for, and never at the context; rules in Rego may look at all. */
function ignoredBy({ rego, rules }: TrustPolicyDocument): Ignorable[] {
  if (rego) return []
  return rules.some((rule) => rule.roles !== undefined) ? ['context'] : ['context', 'principal']
}

/** trust.rego looks into reports of vulnerabilities alone, and there only where their severity is asked for. */
function readBy({ rego, rules }: TrustPolicyDocument): string[] | null {
  if (rego) return null
  const asked = rules.flatMap(({ attestations = [] }) =>
    attestations.filter(({ maxSeverity }) => maxSeverity),
  )
  return [...new Set(asked.flatMap(({ type }) => predicateTypes[type] ?? [type]))].sort()
}

function refusal(path: string, yaml: YamlDocument, problems: readonly Problem[], first: Problem) {
  const told = problems.slice(0, 20).map((problem) => {
    const { line, column } = yaml.whereIs(problem.path)
    return { ...problem, line, column }
  })
  const more = problems.length > 1 ? `; and ${problems.length - 1} more` : ''
  const error = invalid(path, `${first.path || '/'} ${first.why}${more}`, yaml.whereIs(first.path))
  return failure('TRUST_POLICY_INVALID', error.message, { detail: { ...error.detail, problems: told } })
}

/** What a schema cannot say. */
function ruleProblems(document: TrustPolicyDocument): Problem[] {
  const problems: Problem[] = []
  for (const [name, { file, pem }] of Object.entries(document.keys ?? {})) {
    if ((file === undefined) === (pem === undefined)) {
      problems.push({ path: pointer('keys', name), why: 'needs exactly one of "file" and "pem"' })
    }
  }
  for (const [index, entry] of (document.revoked ?? []).entries()) {
    if (Object.keys(entry).length !== 1) {
      problems.push({
        path: pointer('revoked', index),
        why: 'needs exactly one of keyId, certificate and proof',
      })
    }
  }
  for (const [number, signer] of (document.overrides?.from ?? []).entries()) {
    const why = signerProblem(signer, document)
    if (why) problems.push({ path: pointer('overrides', 'from', number), why })
  }
  for (const [index, rule] of document.rules.entries()) {
    const at = (...parts: (string | number)[]) => pointer('rules', index, ...parts)
    for (const pattern of [rule.content].flat()) {
      const why = patternProblem(pattern)
      if (why) problems.push({ path: at('content'), why })
    }
    const asks = rule.signatures !== undefined || rule.attestations !== undefined
    if (asks === (rule.unsigned === true)) {
      problems.push({
        path: at(),
        why: asks
          ? 'asks for proofs and says "unsigned" too'
          : 'asks for nothing: say "unsigned: true" if so meant',
      })
    }
    for (const kind of ['signatures', 'attestations'] as const) {
      for (const [place, clause] of (rule[kind] ?? []).entries()) {
        for (const [number, signer] of clause.from.entries()) {
          const why = signerProblem(signer, document)
          if (why) problems.push({ path: at(kind, place, 'from', number), why })
        }
      }
    }
    for (const [place, { type, maxSeverity }] of (rule.attestations ?? []).entries()) {
      if (!Object.hasOwn(predicateTypes, type) && !URL.canParse(type)) {
        const known = Object.keys(predicateTypes).join(', ')
        problems.push({
          path: at('attestations', place, 'type'),
          why: `is neither a URL nor one of ${known}`,
        })
      }
      if (maxSeverity !== undefined && type !== 'vuln') {
        problems.push({
          path: at('attestations', place, 'maxSeverity'),
          why: 'goes with the type vuln alone',
        })
      }
    }
  }
  return [...problems, ...regexProblems(document)]
}

function patternProblem(pattern: string): string | undefined {
  const segments = pattern.split('/')
  if (segments.slice(0, -1).includes('**')) return 'has ** elsewhere than at its end'
  // Stars stand where a name would: with one in their place the rest must be one.
  const [host = '', ...rest] = segments.map((segment) => (/^\*\*?$/.test(segment) ? 'x' : segment))
  const isName =
    rest.length === 0 ? isRepositoryName(host) : isRegistryHost(host) && isRepositoryName(rest.join('/'))
  return isName ? undefined : 'is not HOST/REPOSITORY, in which a whole segment may be * and the last one **'
}

function signerProblem(signer: SignerDocument, { keys = {}, trustedRoots = {} }: TrustPolicyDocument) {
  const { key, identity, identityPattern, issuer, root } = signer
  if ([key, identity, identityPattern].filter((one) => one !== undefined).length !== 1) {
    return 'needs exactly one of "key", "identity" and "identityPattern"'
  }
  if (key !== undefined) {
    if (issuer !== undefined || root !== undefined) return 'is a key, which has neither issuer nor root'
    return Object.hasOwn(keys, key) ? undefined : `names the key "${key}", which is not among the keys`
  }
  if (issuer === undefined) return 'needs the "issuer" who vouches for the identity'
  if (root !== undefined && !Object.hasOwn(trustedRoots, root))
    return `names the root "${root}", which is not there`
  return Object.keys(trustedRoots).length > 0 ? undefined : 'is an identity, and there are no trustedRoots'
}

/** All patterns have to be ones that the engine compiles: a decision must not be the first to find out. */
function regexProblems(document: TrustPolicyDocument): Problem[] {
  const problems: Problem[] = []
  let engine: Engine | undefined
  const check = (regex: string, path: string) => {
    engine ??= new Engine({ instructions: policyLimits.instructions, memoryBytes: policyLimits.memoryBytes })
    const outcome = engine.query('regex.match(input, "")', JSON.stringify(regex), new Date(0))
    if (outcome.kind === 'value') return
    if (engine.trapped) engine = undefined
    const text = outcome.kind === 'undefined' ? '' : locate(outcome.text).message
    problems.push({ path, why: `is not a pattern that can be used: ${text}` })
  }
  const checkSigners = (from: readonly SignerDocument[], ...at: readonly (string | number)[]) => {
    for (const [number, { identityPattern }] of from.entries()) {
      if (identityPattern === undefined) continue
      const path = pointer(...at, 'from', number, 'identityPattern')
      // By itself as well: what closes a group that it did not open would undo the anchors.
      for (const regex of [identityPattern, anchored(identityPattern)]) {
        if (problems.at(-1)?.path !== path) check(regex, path)
      }
    }
  }
  for (const [index, rule] of document.rules.entries()) {
    for (const content of [rule.content].flat()) {
      const pattern = compilePattern(content)
      if ('regex' in pattern) check(pattern.regex, pointer('rules', index, 'content'))
    }
    for (const kind of ['signatures', 'attestations'] as const) {
      for (const [place, { from }] of (rule[kind] ?? []).entries()) {
        checkSigners(from, 'rules', index, kind, place)
      }
    }
  }
  checkSigners(document.overrides?.from ?? [], 'overrides')
  return problems
}

type Refuse = (problem: Problem) => void

async function readKeys(document: TrustPolicyDocument, source: TrustPolicySource, refuse: Refuse) {
  const keys: PolicyKey[] = []
  const known = new Map<string, string>()
  for (const [name, { file, pem, ...times }] of Object.entries(document.keys ?? {})) {
    const path = pointer('keys', name, file === undefined ? 'pem' : 'file')
    const text = pem ?? new TextDecoder().decode(await source.readFile(file!, keyFileBytes))
    // What it must not be is read as one: Node takes the public half of a private key.
    if (!text.includes('-----BEGIN PUBLIC KEY-----')) refuse({ path, why: 'is not a public key in PEM' })
    let spki = ''
    try {
      spki = createPublicKey(text).export({ type: 'spki', format: 'der' }).toString('base64')
    } catch {
      refuse({ path, why: 'is not a public key in PEM' })
    }
    const other = known.get(spki)
    if (other) refuse({ path, why: `is the same key as "${other}"` })
    known.set(spki, name)
    keys.push({ name, pem: text, ...times })
  }
  return keys
}

async function readRoots(document: TrustPolicyDocument, source: TrustPolicySource, refuse: Refuse) {
  const roots: TrustPolicy['roots'][number][] = []
  for (const [name, { file, issuers }] of Object.entries(document.trustedRoots ?? {})) {
    const bytes = await source.readFile(file, rootFileBytes)
    try {
      roots.push({ name, root: parseJson(bytes, { maxBytes: rootFileBytes }), ...(issuers && { issuers }) })
    } catch (error) {
      if (!isFailure(error)) throw error
      refuse({ path: pointer('trustedRoots', name, 'file'), why: `is not a trusted root: ${error.message}` })
    }
  }
  return roots
}

async function readCustom(document: TrustPolicyDocument, source: TrustPolicySource, refuse: Refuse) {
  const files: PolicyFile[] = []
  for (const [index, path] of (document.rego ?? []).entries()) {
    const text = new TextDecoder().decode(await source.readFile(path, policyLimits.bytes))
    const words = wordsOf(text)
    const first = words.next().value?.text
    const name = words.next().value?.text
    // Another package could redefine what the YAML says.
    if (first !== 'package' || (name !== namespace && !name?.startsWith(`${namespace}.`))) {
      refuse({ path: pointer('rego', index), why: `does not begin with "package ${namespace}"` })
    }
    files.push({ path, text })
  }
  return files
}
