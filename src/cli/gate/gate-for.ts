import type { Context } from '../context.ts'
import type { Opened } from '../open-location.ts'
import type { Session } from '../session.ts'
import type { GateFlags } from './flags.ts'
import type { OpenedGate } from './open-gate.ts'
import type { OpenedServing } from './serving.ts'

// Without a policy and access rules nothing of the gate is loaded: commands that need none start as quickly as before.

/** The gate, where flags or settings name a policy, or the settings rules of access. */
export async function openGateFor(
  context: Context,
  session: Session,
  flags: GateFlags,
): Promise<OpenedGate | undefined> {
  if (!hasPolicy(session, flags) && session.settings.accessRules === undefined) return undefined
  const { openGate } = await import('./open-gate.ts')
  return openGate(context, session, flags)
}

/** What a registry server asks and tells, where flags or settings name a policy, or there are rules of access. */
export async function openServingFor(
  context: Context,
  session: Session,
  flags: GateFlags & { readonly access?: string },
  listen: string,
  opened?: Pick<Opened, 'container'>,
): Promise<OpenedServing | undefined> {
  if (!hasPolicy(session, flags) && flags.access === undefined) return undefined
  const { openServing } = await import('./serving.ts')
  return openServing(context, session, flags, listen, opened)
}

const hasPolicy = ({ settings }: Session, { policy }: GateFlags): boolean =>
  policy !== undefined || settings.policy !== undefined
