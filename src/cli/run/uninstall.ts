import type { ActionFlags } from '../commands/lifecycle.ts'
import type { Context } from '../context.ts'
import { runLifeCycle } from '../life-cycle.ts'

export function run(this: Context, flags: ActionFlags, name: string, bundle?: string): Promise<void> {
  return runLifeCycle(this, flags, { name, action: 'uninstall', bundle })
}
