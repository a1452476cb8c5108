import { type AccessRules, parseAccessRules } from '#access/index.ts'
import { Remembered } from '../remembered.ts'

/** Access rules that are read again while the broker runs. */
export interface ChangingRules {
  /** As they were when they were last read. */
  readonly last: AccessRules
  /**
   * As the file says now, or said a moment ago. Whoever asks about an admin asks here first.
   *
   * @throws ACCESS_RULES_INVALID, FILE_SYSTEM: what cannot be read lets nobody in
   */
  newest(): Promise<AccessRules>
}

/** @param read the file, up to its limit. @throws ACCESS_RULES_INVALID, FILE_SYSTEM */
export async function watchRules(read: () => Promise<Uint8Array>, refreshMs = 1000): Promise<ChangingRules> {
  const remembered = new Remembered(
    async () => parseAccessRules(Buffer.from(await read()).toString()),
    refreshMs,
  )
  let last = await remembered.get()
  return {
    get last() {
      return last
    },
    async newest() {
      last = await remembered.get()
      return last
    },
  }
}
