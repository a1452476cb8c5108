import { type ErrorVariant, formatErrorBody } from '#attestation/index.ts'
import { isFailure } from '#base/index.ts'
import type { BrokerReply, Outcome } from './face.ts'
import { problemOf } from './problem.ts'
import type { Problems, Reply } from './types.ts'

/** A good answer on its way out. */
export interface Answer extends Reply {
  readonly cookie?: BrokerReply['cookie']
  /** Index of the audit log's entry. */
  readonly entry?: number | undefined
  /** Who asked, for the log. */
  readonly caller?: string
}

/** A good answer, with what a face logs of it. */
export function done(call: string, { mediaType, body, noStore, cookie, entry, caller }: Answer): BrokerReply {
  const outcome: Outcome = {
    call,
    status: 200,
    ...(entry !== undefined && { entry }),
    ...(caller !== undefined && { caller }),
  }
  return { status: 200, mediaType, body, noStore, ...(cookie && { cookie }), outcome }
}

/**
 * A refusal: what the caller may know goes out, all of it into the log.
 *
 * @param caller who asked, where that is known
 * @param isTrusted whether the caller may read the failure itself, as admins do: no failure has a secret in its message
 */
export function refusal(
  call: string,
  error: unknown,
  problems: Problems,
  { caller, isTrusted = false }: { readonly caller?: string; readonly isTrusted?: boolean } = {},
): BrokerReply {
  const { status, variant, detail } = problemOf(error, problems)
  const known = isFailure(error) ? error : undefined
  const entry = known?.detail.entry
  const told =
    known && isTrusted ? [known.code, known.message, known.hint].filter(Boolean).join(': ') : detail
  return {
    status,
    mediaType: 'application/json',
    body: formatErrorBody(variant as ErrorVariant, told),
    noStore: true,
    outcome: {
      call,
      status,
      // What is no failure of ours may say anything: its kind is enough for the log of requests.
      code: known?.code ?? 'INTERNAL',
      message: known?.message ?? (error instanceof Error ? error.name : 'unknown'),
      ...(caller !== undefined && { caller }),
      ...(typeof entry === 'number' && { entry }),
    },
  }
}
