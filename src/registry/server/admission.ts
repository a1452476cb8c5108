import type { Role } from '#access/index.ts'
import type { Repository } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import type { AccessDecision, Principal } from './access.ts'
import type { Context } from './context.ts'
import type { Exchange } from './exchange.ts'
import { Refusal } from './refusal.ts'

/** A content whose bytes are about to be sent. */
export interface AdmissionRequest {
  readonly principal: Principal
  /** Which roles they have in the repository, where there are access rules. */
  readonly roles?: readonly Role[]
  /** The repository's name, and what is in it. */
  readonly name: string
  readonly repository: Repository
  /** A manifest with its media type, or a blob. */
  readonly content: Descriptor
}

/**
 * The place where a gate is mounted that judges content, not people: asked after `Access`, before the first byte.
 * Must not throw for a no.
 */
export type Admission = (request: AdmissionRequest, signal: AbortSignal) => Promise<AccessDecision>

/** @throws Refusal 403 */
export async function admit(
  { admission, rolesOf }: Context,
  exchange: Exchange,
  found: Omit<AdmissionRequest, 'principal' | 'roles'>,
): Promise<void> {
  if (!admission) return
  const { principal } = exchange
  const roles = rolesOf && { roles: rolesOf(principal, found.name) }
  const decision = await admission({ principal, ...roles, ...found }, exchange.signal)
  if (!decision.allowed) throw new Refusal(403, 'DENIED', decision.reason ?? 'this content is not admitted')
}
