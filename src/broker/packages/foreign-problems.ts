import { errorVariants } from '#attestation/index.ts'
import { packageLimits } from '#base/index.ts'
import type { Problem, Problems } from '../types.ts'
import { isForeignCode } from './foreign.ts'

const statuses: ReadonlySet<unknown> = new Set<Problem['status']>([
  400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503,
])
const variants: ReadonlySet<unknown> = new Set(errorVariants)

/** A copy of a package's table of problems, or undefined where it is none. */
export function foreignProblems(given: unknown): Problems | undefined {
  if (given === undefined) return {}
  if (typeof given !== 'object' || given === null) return undefined
  const entries = Object.entries(given)
  if (entries.length > packageLimits.problems) return undefined
  const problems: Record<string, Problem> = {}
  for (const [code, problem] of entries) {
    const { status, variant, detail } = (problem ?? {}) as Partial<Problem>
    if (!isForeignCode(code) || !statuses.has(status) || !variants.has(variant)) return undefined
    if (typeof detail !== 'string' || detail.length > packageLimits.detailLength) return undefined
    problems[code] = { status, variant, detail } as Problem
  }
  return problems
}
