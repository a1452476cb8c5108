import { openLog } from '#bundle/index.ts'
import type { LogsFlags } from '../commands/logs.ts'
import type { Context } from '../context.ts'
import { openStore } from '../life-cycle.ts'
import { openSession } from '../session.ts'

export async function run(this: Context, flags: LogsFlags, name: string): Promise<void> {
  await using session = await openSession(this, {})
  const file = await openLog(await openStore(this, session), name, flags.claim)
  try {
    const buffer = new Uint8Array(64 * 1024)
    let at = 0
    for (let count = await file.read(buffer, at); count > 0; count = await file.read(buffer, at)) {
      // A copy: the stream may hold on to it after the buffer is filled again.
      this.process.stdout.write(buffer.slice(0, count))
      at += count
    }
  } finally {
    await file.close()
  }
}
