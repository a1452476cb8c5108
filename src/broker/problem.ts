import { isFailure } from '#base/index.ts'
import type { Problem, Problems } from './types.ts'

const unknown: Problem = { status: 500, variant: 'PluginInternalError', detail: 'the broker failed' }

/** What to tell whoever asked; all that is known of the failure belongs into the log. */
export const problemOf = (error: unknown, problems: Problems): Problem =>
  (isFailure(error) && Object.hasOwn(problems, error.code) && problems[error.code]) || unknown
