import { parse } from 'yaml'
import { canonicalJson, isFailure, type Json, parseJson } from '#base/index.ts'

/**
 * YAML with only what JSON has: no aliases, which can grow without end, and no key twice.
 *
 * @param invalid makes the failure out of what is wrong; the text itself is never told
 */
export function readYaml(source: string, maxBytes: number, invalid: (why: string) => Error): Json {
  const bytes = Buffer.byteLength(source)
  if (bytes > maxBytes) throw invalid(`it has ${bytes} bytes, over the limit of ${maxBytes}`)
  let value: unknown
  try {
    value = parse(source, {
      maxAliasCount: 0,
      prettyErrors: false,
      strict: true,
      uniqueKeys: true,
      logLevel: 'error',
    })
  } catch (error) {
    const { pos } = error as { pos?: readonly [number, number] }
    throw invalid(`it is not YAML${pos ? `, line ${source.slice(0, pos[0]).split('\n').length}` : ''}`)
  }
  try {
    return parseJson(canonicalJson(value ?? null), { maxBytes: 6 * maxBytes })
  } catch (error) {
    throw invalid(`it holds what JSON cannot${isFailure(error) ? `: ${error.message}` : ''}`)
  }
}
