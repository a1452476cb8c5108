import { createHash } from 'node:crypto'
import {
  canonicalJson,
  type Json,
  type PolicyLimits,
  parseJson,
  policyLimits,
  SealiftError,
} from '#base/index.ts'
import { failure } from './codes.ts'
import { Engine, type Outcome } from './engine/engine.ts'
import { locate } from './engine/error-text.ts'
import { engineModule } from './engine/module.ts'
import { wordsOf } from './rego-text.ts'
import type { DecisionLimits, Ignorable, Policy, PolicyFile } from './types.ts'

export interface CompileOptions {
  /** Under `data` beside the data files. */
  readonly data?: Json
  /** The rule that is asked for decisions; `data.sealift.decision` where nothing is said. */
  readonly rule?: string
  /** Nothing where it is not said. */
  readonly ignores?: readonly Ignorable[]
  /** Null, which is all, where it is not said. */
  readonly predicates?: readonly string[] | null
}

/** The rule that yields the decision of a policy in Rego. */
export const decisionRule = 'data.sealift.decision'

/** What reaches beyond the evidence. The engine knows the first not at all, the others would not replay. */
const forbidden = new Set(['http.send', 'net.lookup_ip_addr', 'rand.intn', 'uuid.rfc4122', 'opa.runtime'])

const rulePattern = /^data(\.[A-Za-z_]\w*){1,32}$/
const minted = new WeakSet<Policy>()

/**
 * A policy out of files of Rego and data. Every file is parsed and all rules are compiled together here, so that
 * what this returns can be asked.
 *
 * @throws POLICY_SYNTAX with `file`, `line` and `column` in its detail where the engine names them
 * @throws POLICY_DATA_INVALID, POLICY_RULE_MISSING, POLICY_FORBIDDEN, POLICY_TOO_LARGE, POLICY_EMPTY
 */
export function compilePolicy(
  files: readonly PolicyFile[],
  { data = {}, rule = decisionRule, ignores = [], predicates = null }: CompileOptions = {},
  limits: PolicyLimits = policyLimits,
): Policy {
  const kept = files.map(({ path, text }) => Object.freeze({ path, text }))
  kept.sort((a, b) => (a.path < b.path ? -1 : 1))
  checkFiles(kept, data, limits)
  if (!rulePattern.test(rule)) {
    throw failure('POLICY_RULE_MISSING', `${rule} is not the path of a rule, as ${decisionRule} is`)
  }
  const { digest: engine } = engineModule()
  const hash = createHash('sha256').update(
    canonicalJson({ files: kept, data, rule, ignores, predicates, engine }),
  )
  const digest = `sha256:${hash.digest('hex')}`
  const policy: Policy = Object.freeze({
    digest,
    files: Object.freeze(kept),
    data,
    rule,
    ignores: [...ignores],
    predicates: predicates && [...predicates],
  })
  const { compileInstructions: instructions, memoryBytes } = limits
  loadPolicy(policy, { instructions, memoryBytes })
  minted.add(policy)
  return policy
}

/** Whether `compilePolicy` made it. */
export const isCompiled = (policy: Policy): boolean => minted.has(policy)

/**
 * A fresh engine with a policy in it, always in the same order.
 *
 * @throws what `compilePolicy` throws
 */
export function loadPolicy(policy: Policy, limits: DecisionLimits): Engine {
  const engine = loadFiles(policy.files, policy.data, limits)
  const has = engine.hasRule(policy.rule)
  if (has.kind !== 'value') {
    throw failure('POLICY_RULE_MISSING', `no file declares ${policy.rule}`, { detail: { rule: policy.rule } })
  }
  return engine
}

/** @throws POLICY_SYNTAX, POLICY_DATA_INVALID, POLICY_TOO_LARGE */
export function loadFiles(files: readonly PolicyFile[], data: Json, limits: DecisionLimits): Engine {
  const engine = new Engine(limits)
  const isData = ({ path }: PolicyFile) => path.endsWith('.json')
  for (const file of files) if (!isData(file)) accept(engine.addPolicy(file.path, file.text), file.path)
  for (const file of files) if (isData(file)) acceptData(engine.addData(file.text), file.path)
  acceptData(engine.addData(JSON.stringify(data)), 'the data')
  accept(engine.prepare())
  return engine
}

/**
 * What can be told without the engine.
 *
 * @throws POLICY_EMPTY, POLICY_TOO_LARGE, POLICY_SYNTAX, POLICY_DATA_INVALID, POLICY_FORBIDDEN
 */
export function checkFiles(files: readonly PolicyFile[], data: Json, limits: PolicyLimits): void {
  const rego = files.filter(({ path }) => path.endsWith('.rego'))
  if (rego.length === 0) throw failure('POLICY_EMPTY', 'the policy has no file of Rego')
  if (files.length > limits.files) {
    throw failure('POLICY_TOO_LARGE', `the policy has ${files.length} files, the limit is ${limits.files}`)
  }
  let bytes = Buffer.byteLength(JSON.stringify(data))
  for (const { text } of files) bytes += Buffer.byteLength(text)
  if (bytes > limits.bytes) {
    throw failure('POLICY_TOO_LARGE', `the policy has ${bytes} bytes, the limit is ${limits.bytes}`)
  }
  if (!isObject(data)) throw failure('POLICY_DATA_INVALID', 'the data of a policy is a JSON object')
  const seen = new Set<string>()
  for (const { path, text } of files) {
    if (seen.has(path)) throw failure('POLICY_SYNTAX', `${path} is there twice`, { detail: { file: path } })
    seen.add(path)
    if (path.endsWith('.json')) checkData(path, text, limits)
    else if (path.endsWith('.rego')) checkWords(path, text)
    else throw failure('POLICY_SYNTAX', `${path} is neither *.rego nor *.json`, { detail: { file: path } })
  }
}

function checkData(path: string, text: string, limits: PolicyLimits): void {
  try {
    const value = parseJson(new TextEncoder().encode(text), { maxBytes: limits.bytes })
    if (!isObject(value)) throw failure('POLICY_DATA_INVALID', `${path} does not hold a JSON object`)
  } catch (cause) {
    if (!(cause instanceof SealiftError) || cause.code === 'POLICY_DATA_INVALID') throw cause
    throw failure('POLICY_DATA_INVALID', `${path}: ${cause.message}`, { cause, detail: { file: path } })
  }
}

function checkWords(path: string, text: string): void {
  for (const { text: word, line, column } of wordsOf(text)) {
    if (!forbidden.has(word)) continue
    throw failure('POLICY_FORBIDDEN', `${path}:${line}:${column}: a policy may not call ${word}`, {
      detail: { file: path, line, column, name: word },
    })
  }
}

function accept(outcome: Outcome, path?: string): void {
  if (outcome.kind === 'value' || outcome.kind === 'undefined') return
  if (outcome.kind !== 'error') {
    throw failure('POLICY_TOO_LARGE', `${path ?? 'the policy'} cannot be compiled: ${outcome.text}`)
  }
  const { file = path, line, column, message } = locate(outcome.text)
  const where = [file, line, column].filter((part) => part !== undefined).join(':')
  const detail = { ...(file !== undefined && { file }), ...(line !== undefined && { line, column }) }
  throw failure('POLICY_SYNTAX', where === '' ? message : `${where}: ${message}`, { detail })
}

function acceptData(outcome: Outcome, path: string): void {
  if (outcome.kind === 'error') {
    throw failure('POLICY_DATA_INVALID', `${path}: ${locate(outcome.text).message}`, {
      detail: { file: path },
    })
  }
  accept(outcome, path)
}

const isObject = (value: Json) => typeof value === 'object' && value !== null && !Array.isArray(value)
