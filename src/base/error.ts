/** What a room's code means and what a person can do about it; `docs/errors.md` is generated from these. */
export interface CodeEntry {
  readonly meaning: string
  readonly remedy: string
}

/** A room's error codes, all in one file of that room (`codes.ts`). */
export type CodeTable = Readonly<Record<string, CodeEntry>>

export interface FailureOptions {
  /** What to do next, where the table's remedy is too general. */
  readonly hint?: string
  readonly cause?: unknown
  /** Facts for programs: never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** The one error class. Callers branch on `code`; people read `message` (what and why) and `hint` (what next). */
export class SealiftError extends Error {
  override readonly name = 'SealiftError'
  readonly code: string
  readonly hint: string
  readonly detail: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint ?? ''
    this.detail = options.detail ?? {}
  }
}

/**
 * Makes a room's constructor of errors: only the room's own codes compile, and the remedy is the default hint.
 *
 * @example
 * const failure = failures(codes)
 * throw failure('DIGEST_INVALID', `not a digest: ${text}`)
 */
export function failures<T extends CodeTable>(
  table: T,
): (code: keyof T & string, message: string, options?: FailureOptions) => SealiftError {
  return (code, message, options = {}) =>
    new SealiftError(code, message, { ...options, hint: options.hint ?? table[code]?.remedy ?? '' })
}

/** Whether `error` is a SealiftError, with this code where one is given. */
export function isFailure(error: unknown, code?: string): error is SealiftError {
  return error instanceof SealiftError && (code === undefined || error.code === code)
}
