import type { CopyResult, Tally } from '#content/index.ts'
import { bytes, seconds } from './shell/print.ts'

/** What a copy did, as it is printed. */
export interface CopyFacts {
  readonly copied: Tally
  readonly mounted: Tally
  readonly present: Tally
  /** Digests of what was left out. */
  readonly absent: readonly string[]
  /** Referrers and legacy signatures that travelled. */
  readonly referrers: number
  readonly elapsedMs: number
}

export function copyFacts(result: CopyResult, elapsedMs: number): CopyFacts {
  const { copied, mounted, present, absent, companions } = result
  return {
    copied,
    mounted,
    present,
    absent: absent.map(({ digest }) => digest),
    referrers: companions,
    elapsedMs: Math.round(elapsedMs),
  }
}

/** @param there what it is called that content was there already */
export function copyLine(facts: CopyFacts, there = 'there already'): string {
  const { copied, mounted, present, absent, referrers, elapsedMs } = facts
  const parts = [
    `copied ${copied.items} (${bytes(copied.sizeBytes)})`,
    ...(mounted.items > 0 ? [`mounted ${mounted.items} (${bytes(mounted.sizeBytes)})`] : []),
    ...(present.items > 0 ? [`${present.items} ${there} (${bytes(present.sizeBytes)})`] : []),
    ...(referrers > 0 ? [`${referrers} referrers`] : []),
    ...(absent.length > 0 ? [`${absent.length} left out`] : []),
  ]
  return `${parts.join(', ')} in ${seconds(elapsedMs)}`
}
