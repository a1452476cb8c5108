import { canonicalJson, type Json, limits, parseJson } from '#base/index.ts'
import { failure } from './codes.ts'
import { readWhole } from './files.ts'

/** A file of the operator's in YAML or JSON, as plain data. @throws USAGE, FILE_SYSTEM, and the codes of `parseJson` */
export async function readData(path: string): Promise<Json> {
  const bytes = await readWhole(path, limits.bundleBytes)
  return parseYaml(Buffer.from(bytes).toString(), path)
}

/** YAML with only what JSON has. The message tells the line, never its text: it may be a secret. */
export async function parseYaml(text: string, path: string): Promise<Json> {
  const { parse } = await import('yaml')
  try {
    const value: unknown = parse(text, { prettyErrors: false })
    return parseJson(canonicalJson(value ?? null), { maxBytes: limits.bundleBytes })
  } catch (error) {
    const { linePos, code } = error as { linePos?: { line: number }[]; code?: string }
    const line = linePos?.[0]?.line ?? lineAt(text, (error as { pos?: [number] }).pos?.[0])
    throw failure('USAGE', `${path} is not YAML${line ? `, line ${line}` : ''}${code ? ` (${code})` : ''}`)
  }
}

const lineAt = (text: string, position: number | undefined) =>
  position === undefined ? undefined : text.slice(0, position).split('\n').length

/** A project file, without the settings that are in it for the command line. @throws as `readData` */
export async function readProject(path: string): Promise<Json> {
  const value = await readData(path)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const { settings: _, ...project } = value
  return project
}
