import { resolve } from 'node:path'
import type { Principal } from '#access/index.ts'
import { isFailure } from '#base/index.ts'
import type { AdminRequest, BrokerReply } from '#broker/index.ts'
import { isLoopback } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import { thisUser } from '../gate/permits.ts'
import { readKeyText, unlock } from '../open-signer.ts'
import type { Session } from '../session.ts'
import type { BrokerFlags } from './flags.ts'

/** What an admin asks for. */
export interface AdminCall {
  readonly api: AdminRequest['api']
  readonly method: AdminRequest['method']
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** One way to talk to a broker, whether it is a folder here or a listener somewhere. */
export interface BrokerAdmin extends AsyncDisposable {
  /** The body of a good answer. @throws BROKER_REFUSED, BROKER_NOT_FOUND, BROKER_REQUEST_REFUSED, BROKER_UNREACHABLE */
  ask(call: AdminCall): Promise<Uint8Array>
}

/**
 * The broker that flags or the environment name.
 *
 * @throws USAGE, what `openBroker` throws, KEY_FILE_INVALID, KEY_PASSWORD_WRONG
 */
export async function openBrokerAdmin(
  context: Context,
  { settings, signal }: Session,
  flags: BrokerFlags,
): Promise<BrokerAdmin> {
  const place = flags.broker ?? settings.broker
  if (place === undefined)
    throw failure('USAGE', 'which broker? Name its folder or its address (--broker, SEALIFT_BROKER)')
  return /^https?:\/\//.test(place)
    ? await overNetwork(context, place, flags, settings.adminKey, signal)
    : await openBrokerAs(thisUser(), resolve(context.cwd, place), signal)
}

/**
 * A broker opened in this process. Whoever can read its folder and its keys could do anything with it; its access rules
 * are asked all the same, and the log says who it was.
 *
 * @throws what `openBroker` throws
 */
export async function openBrokerAs(
  principal: Principal,
  directory: string,
  signal: AbortSignal,
): Promise<BrokerAdmin> {
  const { openBrokerHere } = await import('./open-broker-here.ts')
  const broker = await openBrokerHere(directory)
  return {
    async ask({ api, method, path, query = {}, body = new Uint8Array() }) {
      const reply = await broker.face.admin({ api, method, path, query, body, principal }, signal)
      return bodyOf(reply.status, reply.body, reply.outcome)
    },
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  }
}

async function overNetwork(
  context: Context,
  place: string,
  flags: BrokerFlags,
  setting: string | undefined,
  signal: AbortSignal,
): Promise<BrokerAdmin> {
  const { origin, protocol, host } = new URL(place)
  if (protocol !== 'https:' && !isLoopback(host))
    throw failure('USAGE', `${origin} is asked by HTTPS alone: what is sent proves you, and carries secrets`)
  const tokenFor = await tokensOf(context, origin, flags, setting)
  const { brokerFetch } = await import('./broker-fetch.ts')
  const send = brokerFetch(context.env)
  return {
    async ask({ api, method, path, query = {}, body }) {
      const names = path.map(encodeURIComponent).join('/')
      const search = new URLSearchParams(query).toString()
      const url = `${origin}/${api === 'kbs' ? 'kbs/v0' : 'admin/v1'}/${names}${search && `?${search}`}`
      const token = tokenFor()
      const response = await send(url, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body && { 'content-type': 'application/octet-stream' }),
        },
        ...(body && { body: Buffer.from(body) }),
        signal,
      }).catch((cause: unknown) => {
        if (signal.aborted || isFailure(cause)) throw cause
        throw failure('BROKER_UNREACHABLE', `${origin} cannot be reached`, { cause })
      })
      return bodyOf(response.status, new Uint8Array(await response.arrayBuffer()))
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** A token for each request, where there is a key; without one a client certificate has to do, and that takes TLS. */
async function tokensOf(
  context: Context,
  origin: string,
  flags: BrokerFlags,
  setting: string | undefined,
): Promise<() => string | undefined> {
  const keyFile = flags.adminKey ?? setting
  if (keyFile === undefined) {
    if (origin.startsWith('https:')) return () => undefined
    throw failure('USAGE', 'which key proves you to the broker? (--admin-key, SEALIFT_ADMIN_KEY)')
  }
  const privateKey = await unlock(context, await readKeyText(context, keyFile), keyFile, flags)
  const { adminToken } = await import('#broker/index.ts')
  return () => adminToken({ privateKey, audience: origin })
}

function bodyOf(status: number, body: Uint8Array, outcome?: BrokerReply['outcome']): Uint8Array {
  if (status === 200) return body
  const told = outcome?.message ?? detailOf(body) ?? `the broker answered ${status}`
  if (status === 404) throw failure('BROKER_NOT_FOUND', told)
  if (status === 401 || status === 403) throw failure('BROKER_REFUSED', told)
  throw failure('BROKER_REQUEST_REFUSED', told, { detail: { status } })
}

/** What a broker says, in few characters and without controls: it goes to a terminal. */
function detailOf(body: Uint8Array): string | undefined {
  try {
    const { detail } = JSON.parse(Buffer.from(body.subarray(0, 65_536)).toString()) as { detail?: unknown }
    return typeof detail === 'string' ? detail.slice(0, 2000).replaceAll(/\p{C}/gu, '?') : undefined
  } catch {
    return undefined
  }
}

/** The JSON of a good answer. */
export const jsonIn = <T>(body: Uint8Array): T => JSON.parse(Buffer.from(body).toString()) as T
