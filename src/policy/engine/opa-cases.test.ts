// Open Policy Agent's own conformance cases, as far as the engine is known to pass them.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { canonicalJson, type Json } from '#base/index.ts'
import { Engine, type Outcome } from './engine.ts'

interface OpaCase {
  readonly note: string
  readonly query: string
  readonly modules?: readonly string[] | null
  readonly data?: Json
  readonly input?: Json
  /** A term of Rego instead of JSON. */
  readonly input_term?: string
  readonly want_result?: readonly { readonly [name: string]: Json }[]
  readonly want_error?: string
  readonly want_error_code?: string
  readonly strict_error?: boolean
}

const folder = join(import.meta.dirname, '../../../../shared/vectors/rego')
const limits = { instructions: 20_000_000_000, memoryBytes: 512 * 1024 * 1024 }
const at = new Date('2026-05-01T12:00:00Z')

test('all of OPA 1.22 that regorus 0.14.1 passes', {
  skip: existsSync(folder) ? false : 'the shared vectors are not here',
}, () => {
  const listed = readFileSync(join(folder, 'regorus-0.14.1-passes.txt'), 'utf8').split('\n').filter(Boolean)
  const wanted = new Map<string, number>()
  for (const note of listed) wanted.set(note, (wanted.get(note) ?? 0) + 1)
  const passed = new Map<string, number>()
  for (const path of globSync('opa-1.22/**/*.yaml', { cwd: folder })) {
    for (const document of parseAllDocuments(readFileSync(join(folder, path), 'utf8'))) {
      const { cases = [] } = (document.toJS() ?? {}) as { cases?: OpaCase[] }
      for (const one of cases) {
        if (wanted.has(one.note) && passes(one)) passed.set(one.note, (passed.get(one.note) ?? 0) + 1)
      }
    }
  }
  const failed = [...wanted].filter(([note, times]) => (passed.get(note) ?? 0) < times).map(([note]) => note)
  assert.deepEqual(failed, [])
  assert.equal(listed.length, 1683)
})

function passes(one: OpaCase): boolean {
  const { query, modules, data, input, input_term: term } = one
  const wantsError = one.want_error !== undefined || one.want_error_code !== undefined
  const engine = new Engine(limits, { strict: one.strict_error === true })
  for (const [index, text] of (modules ?? []).entries()) {
    if (isBad(engine.addPolicy(`module-${index}.rego`, text))) return wantsError
  }
  if (data !== undefined && data !== null && isBad(engine.addData(JSON.stringify(data)))) return wantsError
  let given = input === undefined ? '' : JSON.stringify(input)
  if (term !== undefined) {
    const value = resultsOf(new Engine(limits).query(`x := ${term}`, '', at))?.[0]?.x
    if (value === undefined) return false
    given = JSON.stringify(value)
  }
  const outcome = engine.query(query, given, at)
  if (isBad(outcome)) return wantsError
  return !wantsError && isDeepStrictEqual(asSet(resultsOf(outcome) ?? []), asSet(one.want_result ?? []))
}

const isBad = ({ kind }: Outcome) => kind !== 'value' && kind !== 'undefined'

function resultsOf(outcome: Outcome): { readonly [name: string]: Json }[] | undefined {
  if (outcome.kind !== 'value') return undefined
  const { result } = JSON.parse(outcome.text) as { result?: { bindings: { [name: string]: Json } }[] }
  return (result ?? []).map(({ bindings }) => bindings)
}

/** The order of bindings says nothing. */
function asSet(bindings: readonly Json[]): string[] {
  return [...new Set(bindings.map((binding) => new TextDecoder().decode(canonicalJson(binding))))].sort()
}
