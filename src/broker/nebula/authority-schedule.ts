import type { KeptAuthority } from './authority-record.ts'

/** Clocks of replicas and nodes may differ by so much. */
export const skewMs = 60_000

/** The last that has begun to issue; where the clock says that none has, the first. */
export function issuingAt(kept: readonly KeptAuthority[], at: number): KeptAuthority {
  return kept.findLast(({ issues }) => issues <= at) ?? kept[0]!
}

/** When the last certificate that it can have issued has ended: until then it is trusted. */
export function trustEnd(kept: readonly KeptAuthority[], index: number): number {
  const { authority, longestMs } = kept[index]!
  const end = authority.certificate.notAfter * 1000
  const next = kept[index + 1]
  return next ? Math.min(end, next.issues + longestMs + skewMs) : end
}

/** All whose certificates count, in the order in which they issue. */
export const trustedAt = (kept: readonly KeptAuthority[], at: number): readonly KeptAuthority[] =>
  kept.filter((_, index) => at <= trustEnd(kept, index))

export type AuthorityPhase = 'announced' | 'issuing' | 'trusted' | 'ended'

export function phaseAt(kept: readonly KeptAuthority[], index: number, at: number): AuthorityPhase {
  const one = kept[index]!
  if (one === issuingAt(kept, at)) return 'issuing'
  if (one.issues > at) return 'announced'
  return at <= trustEnd(kept, index) ? 'trusted' : 'ended'
}

export interface Periods {
  /** The longest credential. */
  readonly longestMs: number
  /** For so long an authority is trusted before it issues: nodes fetch it meanwhile. */
  readonly announceMs: number
}

/** Whether another has to be made now, to be announced before this one can no longer issue the longest credential. */
export function needsNext(
  kept: readonly KeptAuthority[],
  at: number,
  { longestMs, announceMs }: Periods,
): boolean {
  const issuing = issuingAt(kept, at)
  const end = issuing.authority.certificate.notAfter * 1000
  const follows = kept.some((one) => one !== issuing && one.issues > at && one.issues <= end)
  return !follows && at + announceMs > end - longestMs
}

/** When one that is made now begins to issue: at once where the one before it would end while it is announced. */
export function issuesFrom(kept: readonly KeptAuthority[], at: number, { announceMs }: Periods): number {
  const end = issuingAt(kept, at).authority.certificate.notAfter * 1000
  return at + announceMs + skewMs < end ? at + announceMs : at
}

/**
 * The list with one more, in the order in which they issue. What ended first goes where there are more than `most`:
 * what ended is kept for a while, because a clock that jumped ahead may be set back.
 */
export function withNext(
  kept: readonly KeptAuthority[],
  next: KeptAuthority,
  at: number,
  most: number,
): readonly KeptAuthority[] | undefined {
  const all = [...kept, next].sort((a, b) => a.issues - b.issues)
  while (all.length > most) {
    const ended = all.findIndex((_, index) => phaseAt(all, index, at) === 'ended')
    if (ended < 0) return undefined
    all.splice(ended, 1)
  }
  return all
}
