import { type Json, limits, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import type { Definition, DefinitionType } from '../definition/definition.ts'

const integerGrammar = /^-?(0|[1-9]\d*)$/
const numberGrammar = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/**
 * The value that a text of `--param NAME=TEXT` means, by the definition's type. A text that cannot be of the type
 * is returned as it is, and the check against the definition then says what is wrong with it.
 */
export function coerceText(text: string, definition: Pick<Definition, 'types'>): Json {
  const types = definition.types
  if (types.length === 0) return text
  // Where several types are allowed, a text is only a text if nothing more definite fits.
  const order: readonly DefinitionType[] = ['null', 'boolean', 'integer', 'number', 'object', 'array']
  for (const type of order) {
    if (!types.includes(type)) continue
    const value = readAs(type, text)
    if (value !== undefined) return value
  }
  return text
}

/** The bytes of a file as a value (`--param NAME=@FILE`): text, or base64 where `contentEncoding` asks for it. */
export function coerceFile(bytes: Uint8Array, definition: Definition): Json {
  if (definition.contentEncoding?.toLowerCase() === 'base64') return Buffer.from(bytes).toString('base64')
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const isPlain = definition.types.length === 0 || definition.types.includes('string')
  return isPlain ? text : coerceText(text.trim(), definition)
}

function readAs(type: DefinitionType, text: string): Json | undefined {
  switch (type) {
    case 'null':
      return text === 'null' ? null : undefined
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'integer': {
      const value = integerGrammar.test(text) ? Number(text) : undefined
      return Number.isSafeInteger(value) ? value : undefined
    }
    case 'number': {
      const value = numberGrammar.test(text) ? Number(text) : undefined
      return Number.isFinite(value) ? value : undefined
    }
    default: {
      const value = jsonOf(text)
      const fits = type === 'array' ? Array.isArray(value) : isObject(value)
      return fits ? value : undefined
    }
  }
}

function jsonOf(text: string): Json | undefined {
  try {
    return parseJson(Buffer.from(text), { maxBytes: limits.bundleBytes })
  } catch {
    return undefined
  }
}
