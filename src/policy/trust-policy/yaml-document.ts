import { LineCounter, type ParsedNode, parseDocument } from 'yaml'
import { canonicalJson, isFailure, type Json, parseJson } from '#base/index.ts'
import { failure } from '../codes.ts'

/** A YAML document as JSON, that still knows where each part of it stands. */
export interface YamlDocument {
  readonly value: Json
  /** Where the part at this JSON pointer stands, or the nearest part around it that is there. Counted from 1. */
  whereIs(pointer: string): { readonly line: number; readonly column: number }
}

/** Most times that aliases may be followed: enough to say a list of signers once, too few to make a bomb of it. */
const maxAliasCount = 100

/**
 * One document of YAML 1.2 with nothing that JSON does not have: no duplicate keys, no tags, no second document.
 *
 * @throws TRUST_POLICY_INVALID with `file`, `line` and `column` in its detail
 */
export function parseYamlDocument(text: string, path: string, maxBytes: number): YamlDocument {
  if (Buffer.byteLength(text) > maxBytes) {
    throw failure('TRUST_POLICY_INVALID', `${path} is larger than ${maxBytes} bytes`, {
      detail: { file: path },
    })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: 'core',
    stringKeys: true,
    uniqueKeys: true,
  })
  const [problem] = [...document.errors, ...document.warnings]
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  if (problem) throw invalid(path, problem.message, at(problem.pos[0]))
  const root: unknown = document.contents
  try {
    const value = parseJson(canonicalJson(document.toJS({ maxAliasCount }) ?? null), {
      maxBytes: 16 * maxBytes,
    })
    return { value, whereIs: (pointer) => at(offsetOf(root, pointer)) }
  } catch (cause) {
    // The library's own refusals (too many aliases) are errors without a class of their own.
    const why = isFailure(cause) || cause instanceof Error ? cause.message : String(cause)
    throw invalid(path, why, { line: 1, column: 1 }, cause)
  }
}

/** An error in a file of YAML, with its place. */
export function invalid(
  path: string,
  why: string,
  { line, column }: { line: number; column: number },
  cause?: unknown,
) {
  const detail = { file: path, line, column }
  return failure('TRUST_POLICY_INVALID', `${path}:${line}:${column}: ${why}`, { detail, cause })
}

interface MapLike {
  readonly items: readonly { readonly key?: Partial<ParsedNode> | null; readonly value?: unknown }[]
}

function offsetOf(root: unknown, pointer: string): number {
  let node = root as { range?: readonly number[]; items?: readonly unknown[] } | null | undefined
  let offset = node?.range?.[0] ?? 0
  for (const escaped of pointer.split('/').slice(1)) {
    const part = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
    const item = node?.items?.find((item, index) => {
      const { key } = item as MapLike['items'][number]
      return key === undefined ? index === Number(part) : (key as { value?: unknown } | null)?.value === part
    })
    if (item === undefined) break
    const pair = item as MapLike['items'][number]
    const isPair = pair.key !== undefined
    node = (isPair ? pair.value : item) as typeof node
    const key = isPair ? (pair.key as { range?: readonly number[] } | null) : undefined
    offset = key?.range?.[0] ?? node?.range?.[0] ?? offset
  }
  return offset
}
