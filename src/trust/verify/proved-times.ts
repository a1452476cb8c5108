import { failure } from '../codes.ts'
import type { Check, ProofFacts } from '../types.ts'
import type { TrustedLog } from './certificate-log.ts'
import type { Claim } from './claim.ts'
import { checkLogBody, type SignerBytes } from './log-body.ts'
import { checkLogged } from './log-entry.ts'
import type { Signed } from './signed.ts'
import { parseTimeStamp, stampedTime } from './time-stamp.ts'
import type { TrustedRoot } from './trusted-root.ts'

/** What logs and time-stamp authorities proved about one signature. */
export interface ProvedTimes {
  /** Milliseconds: said by a log under its promise, or by a time-stamp authority. */
  readonly times: readonly number[]
  readonly checks: readonly Check[]
  /** The first log that holds the signature. */
  readonly log?: NonNullable<ProofFacts['log']>
}

/**
 * Every log entry and time stamp whose log or authority one of these roots trusts must be good; the others are
 * passed over.
 *
 * @throws LOG_PROOF_INVALID, TIMESTAMP_INVALID, PROOF_MALFORMED
 */
export function provedTimes(
  { entries, timeStamps }: Claim,
  signed: Signed,
  roots: readonly TrustedRoot[],
  signer: SignerBytes,
): ProvedTimes {
  const times: number[] = []
  const checks = new Set<Check>()
  let log: ProvedTimes['log']
  const logs = roots.flatMap((root) => root.logs)
  const holders: TrustedLog[] = []
  for (const entry of entries) {
    const logged = checkLogged(entry, logs)
    if (!logged) continue
    checkLogBody(entry, signed, signer)
    for (const check of logged.checks) checks.add(check)
    holders.push(logged.log)
    if (logged.time !== undefined) times.push(logged.time)
    const at = logged.time === undefined ? {} : { at: new Date(logged.time).toISOString() }
    log ??= { id: logged.id, index: String(logged.index), ...at }
  }
  const authorities = roots.flatMap((root) => root.timeStampAuthorities)
  for (const bytes of timeStamps) {
    const time = stampedTime(parseTimeStamp(bytes), signed.signature, authorities)
    if (time === undefined) continue
    times.push(time)
    checks.add('timestamp')
  }
  for (const holder of holders) checkTrustedThen(holder, times)
  return { times, checks: [...checks], ...(log && { log }) }
}

/** An inclusion proof tells no time of its own: whatever time was proved must be one at which the log is trusted. */
function checkTrustedThen({ validFrom, validUntil }: TrustedLog, times: readonly number[]): void {
  const isTrusted = (time: number) => validFrom <= time && time <= validUntil
  if (validFrom < Number.POSITIVE_INFINITY && times.every(isTrusted)) return
  throw failure('LOG_PROOF_INVALID', 'the log that holds the signature is not trusted at the time of signing')
}
