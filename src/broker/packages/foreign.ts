import { isFailure, SealiftError } from '#base/index.ts'
import { failure } from './codes.ts'

const codePattern = /^X_[A-Z][A-Z0-9_]{0,60}$/

/** Codes of packages begin so: none is taken for one of ours. */
export const isForeignCode = (code: string): boolean => codePattern.test(code)

/** @throws PACKAGE_INVALID */
export function foreignFailure(name: string, code: string, message: string): SealiftError {
  if (!isForeignCode(code))
    throw failure('PACKAGE_INVALID', `a code of the package ${name} is not X_ and upper-case letters`)
  return new SealiftError(code, `${name}: ${String(message).slice(0, 1000)}`, {
    hint: `Ask the authors of the package ${name}.`,
  })
}

/** What may be told of an error of somebody else's: that it is ours or was made by `failure`, or else its kind. */
export function kindOf(error: unknown): string {
  if (isFailure(error)) return error.code
  if (!(error instanceof Error)) return 'what is no error'
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && /^[A-Za-z0-9_]{1,40}$/.test(code)) return code
  return /^[A-Za-z]{1,40}$/.test(error.name) ? error.name : 'Error'
}

/** Whether this is no failure of the package but the end of the request. */
export const isAbort = (error: unknown, signal: AbortSignal | undefined): boolean =>
  signal?.aborted === true && error === signal.reason
