import type { Role } from '#access/index.ts'
import type { ServerLimits } from '#base/index.ts'
import { isStore, type Repositories, type Store } from '#content/index.ts'
import type { Access, AccessDecision, AccessRequest, Principal } from './access.ts'
import type { AccessRecords } from './access-records.ts'
import type { Admission } from './admission.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { Counters } from './counters.ts'
import type { Exchange } from './exchange.ts'
import type { Manifests } from './manifests.ts'
import { Refusal, type WireCode } from './refusal.ts'
import type { Log } from './request-log.ts'
import type { SlowBodies } from './slow-bodies.ts'
import type { UploadSessions } from './upload-sessions.ts'
import type { Verification } from './verification.ts'

/** Which contents that a manifest names may be absent when it is pushed. */
export type Sparse = 'none' | 'indexes' | 'manifests'

/** What all resources share. */
export interface Context {
  readonly repositories: Repositories
  readonly sparse: Sparse
  /** Absent where everybody may do everything. */
  readonly access: Access | undefined
  readonly records: AccessRecords
  /** Absent where there are no access rules. */
  readonly rolesOf: ((principal: Principal, repository: string) => readonly Role[]) | undefined
  /** Absent where every content may be sent. */
  readonly admission: Admission | undefined
  /** Whether users prove who they are. */
  readonly hasPasswords: boolean
  readonly limits: ServerLimits
  readonly log: Log
  readonly counters: Counters
  readonly buffers: BufferPool
  readonly verification: Verification
  readonly manifests: Manifests
  readonly sessions: UploadSessions
  readonly slowBodies: SlowBodies
  readonly gauges: () => Readonly<Record<string, readonly [help: string, value: number]>>
  readonly stopping: () => boolean
}

/** One method of one resource. */
export type Operation = (context: Context, exchange: Exchange) => Promise<void>

/** The methods of one resource. HEAD is not listed: it is GET without the body. */
export interface Resource {
  /** The code of what is not found in it. */
  readonly notFound: WireCode
  readonly methods: Readonly<Record<string, Operation>>
}

const everything: AccessDecision = { allowed: true, isPublic: true }

/** Asks whoever decides. */
export async function mayUse(
  { access }: Context,
  exchange: Exchange,
  verb: AccessRequest['verb'],
  repository?: string,
): Promise<AccessDecision> {
  return access ? await access(exchange.question(verb, repository), exchange.signal) : everything
}

/**
 * Asks whoever decides, and refuses where the answer is no.
 * @throws Refusal 401 or 403
 */
export async function authorize(
  context: Context,
  exchange: Exchange,
  verb: AccessRequest['verb'],
  repository?: string,
): Promise<AccessDecision> {
  const decision = await mayUse(context, exchange, verb, repository)
  return decision.allowed ? decision : await refuse(context, exchange, verb, { decision, repository })
}

/**
 * Refuses what was not allowed. That of somebody who is known is recorded; strangers are asked who they are instead.
 * @throws Refusal 401 or 403
 */
export async function refuse(
  { records }: Context,
  exchange: Exchange,
  verb: AccessRequest['verb'],
  { decision, repository }: { readonly decision: AccessDecision; readonly repository: string | undefined },
): Promise<never> {
  const reason = decision.reason ?? `${verb} is not allowed here`
  if (exchange.principal.kind === 'anonymous') throw unauthorized(reason)
  await records.add({ ...exchange.question(verb, repository), allowed: false, reason }, false)
  throw new Refusal(403, 'DENIED', reason)
}

/** Records what is about to be done with a content, where that was allowed. To be waited for before it is done. */
export async function recordUse(
  { records }: Context,
  exchange: Exchange,
  verb: AccessRequest['verb'],
  use: { readonly name: string; readonly decision: AccessDecision; readonly digest?: string },
): Promise<void> {
  if (!records.areKept) return
  const { name, decision, digest } = use
  const record = { ...exchange.question(verb, name), ...(digest !== undefined && { digest }), allowed: true }
  await records.add(record, decision.isPublic === true)
}

/** RFC 7617. The challenge is what makes clients send the password that they have. */
export const unauthorized = (message: string): Refusal =>
  new Refusal(401, 'UNAUTHORIZED', message, {
    headers: { 'WWW-Authenticate': 'Basic realm="sealift", charset="UTF-8"' },
  })

/**
 * The repository to push to, made where it is not there yet.
 * @throws Refusal 405 where all is read only
 */
export async function storeToWrite({ repositories }: Context, name: string): Promise<Store> {
  if (!repositories.create) throw readOnly()
  return await repositories.create(name)
}

/**
 * The repository to delete from or to look for uploads in, never made.
 * @throws Refusal 404 where it is not there, 405 where it is read only
 */
export async function storeToChange(
  { repositories }: Context,
  name: string,
  exchange: Exchange,
): Promise<Store> {
  if (!repositories.create) throw readOnly()
  const repository = await repositories.repository(name, { signal: exchange.signal })
  if (!repository) throw new Refusal(404, 'NAME_UNKNOWN', `there is no repository ${name}`)
  return isStore(repository) ? repository : await repositories.create(name)
}

const readOnly = () =>
  new Refusal(405, 'UNSUPPORTED', 'this registry is read only', { headers: { Allow: 'GET, HEAD' } })
