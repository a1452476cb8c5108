import { isFailure, type Json, parseJson } from '#base/index.ts'
import type { Reason } from './types.ts'

/** What a rule said. `validUntil` null: nothing that it rests on ends; undefined: it does not say. */
export interface SaidDecision {
  readonly allowed: boolean
  readonly reasons: readonly Reason[]
  readonly outputs: Json
  readonly validUntil: Date | null | undefined
}

/** Why it is none: a reason by itself. */
export interface NoDecision {
  readonly code: 'POLICY_RESULT_INVALID'
  readonly message: string
}

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/
/** Deepest nesting of what a policy says. */
const depth = 64

/** Reads `{allow, reasons?, outputs?, valid_until?}`, strictly: what is misspelt must not be passed over in silence. */
export function parseDecision(text: string, maxBytes: number, maxReasons: number): SaidDecision | NoDecision {
  try {
    const value = parseJson(new TextEncoder().encode(text), { maxBytes, maxDepth: depth })
    return read(value, maxReasons)
  } catch (error) {
    if (!isFailure(error)) throw error
    return invalid(error.message)
  }
}

function read(value: Json, maxReasons: number): SaidDecision | NoDecision {
  if (!isObject(value)) return invalid(`the rule yields ${kindOf(value)} and not an object with "allow"`)
  const { allow, reasons = [], outputs = null, valid_until: end, ...rest } = value
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) return invalid(`a decision has no member "${unknown}"`)
  if (typeof allow !== 'boolean') return invalid('"allow" is neither true nor false')
  if (!Array.isArray(reasons)) return invalid('"reasons" is not a list')
  if (reasons.length > maxReasons) return invalid(`there are more than ${maxReasons} reasons`)
  const read: Reason[] = []
  for (const reason of reasons) {
    const parsed = readReason(reason)
    if (!parsed) return invalid('a reason is not an object with "code", "message" and maybe "remedy" as text')
    read.push(parsed)
  }
  const validUntil = readEnd(end)
  if (validUntil === 'invalid')
    return invalid('"valid_until" is neither an RFC 3339 time, nor nanoseconds, nor null')
  return { allowed: allow, reasons: read, outputs, validUntil }
}

function readReason(value: Json): Reason | undefined {
  if (!isObject(value)) return undefined
  const { code, message, remedy, ...rest } = value
  if (typeof code !== 'string' || typeof message !== 'string' || Object.keys(rest).length > 0)
    return undefined
  if (remedy === undefined) return { code, message }
  return typeof remedy === 'string' ? { code, message, remedy } : undefined
}

function readEnd(end: Json | undefined): Date | null | undefined | 'invalid' {
  if (end === undefined || end === null) return end
  if (typeof end === 'number') {
    const ms = Math.floor(end / 1e6)
    return Number.isNaN(new Date(ms).getTime()) ? 'invalid' : new Date(ms)
  }
  if (typeof end !== 'string' || !dateTime.test(end)) return 'invalid'
  const date = new Date(end)
  return Number.isNaN(date.getTime()) ? 'invalid' : date
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function kindOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

const invalid = (why: string): NoDecision => ({
  code: 'POLICY_RESULT_INVALID',
  message: `not a decision: ${why}`,
})
