// A broker in a directory of its own, open, as `sealift broker init` makes it.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Principal } from '#access/index.ts'
import {
  type BrokerFace,
  type BrokerReply,
  initBroker,
  type OpenedBroker,
  openBroker,
} from '#broker/index.ts'
import { type OpenAudit, openAudit } from '#gate/index.ts'

export const owner: Principal = { kind: 'user', name: 'ada' }
export const never = new AbortController().signal

/** A clock that a test sets. */
export interface SceneClock {
  at: Date
}

export interface BrokerScene extends AsyncDisposable {
  readonly directory: string
  readonly broker: OpenedBroker
  readonly face: BrokerFace
  readonly audit: OpenAudit
  readonly clock: SceneClock
  readonly ownerKey: KeyObject
  /** As the owner: a method, a path of the admin API (`policies/resource`) or `kbs:resource/...`, and a body. */
  admin(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<BrokerReply>
}

/** @param configure changes broker.yaml before it is read */
export async function brokerScene(
  configure: (yaml: string) => string = (yaml) => yaml,
): Promise<BrokerScene> {
  const directory = mkdtempSync(join(tmpdir(), 'sealift-broker-'))
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await initBroker(directory, {
    owner: 'user:ada',
    ownerPublicKey: publicKey.export({ format: 'pem', type: 'spki' }) as string,
    withSample: true,
  })
  const { readFile, writeFile } = await import('node:fs/promises')
  const path = join(directory, 'broker.yaml')
  await writeFile(path, configure(await readFile(path, 'utf8')))
  const clock: SceneClock = { at: new Date() }
  let audit: OpenAudit | undefined
  const broker = await openBroker(directory, {
    now: () => clock.at,
    openAudit: async (place) => {
      if (place.kind !== 'files') throw new Error('the scene has a folder')
      const key = generateKeyPairSync('ed25519').privateKey
      const opened = await openAudit({ directory: place.directory, origin: 'test/broker', key })
      audit = opened
      return {
        audit: opened,
        read: async () => opened,
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
      }
    },
  })
  const { face } = broker
  return {
    directory,
    broker,
    face,
    clock,
    audit: audit!,
    ownerKey: privateKey,
    admin: (method, where, body) => {
      const [bare, api] = where.startsWith('kbs:')
        ? ([where.slice(4), 'kbs'] as const)
        : ([where, 'admin'] as const)
      const [names = '', search = ''] = bare.split('?')
      return face.admin(
        {
          method,
          path: names.split('/'),
          query: Object.fromEntries(new URLSearchParams(search)),
          body:
            body === undefined
              ? new Uint8Array()
              : body instanceof Uint8Array
                ? body
                : Buffer.from(JSON.stringify(body)),
          principal: owner,
          api,
        },
        never,
      )
    },
    async [Symbol.asyncDispose]() {
      await broker[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    },
  }
}

/** The face as something that `guestClient` takes for a network. */
export function fetchOf(face: BrokerFace): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const url = new URL(String(input))
    const headers = new Headers(init.headers as Record<string, string>)
    const sessionId = /kbs-session-id=([0-9a-f]{32})/.exec(headers.get('cookie') ?? '')?.[1]
    const bearer = /^Bearer (.+)$/.exec(headers.get('authorization') ?? '')?.[1]
    const reply = await face.guest(
      {
        method: (init.method ?? 'GET') as 'GET',
        path: url.pathname.replace('/kbs/v0/', '').split('/').map(decodeURIComponent),
        query: Object.fromEntries(url.searchParams),
        body: init.body ? new Uint8Array(init.body as Buffer) : new Uint8Array(),
        ...(sessionId !== undefined && { sessionId }),
        ...(bearer !== undefined && { bearer }),
      },
      init.signal ?? never,
    )
    const answer = new Headers({ 'content-type': reply.mediaType })
    if (reply.cookie) {
      const { value, expires } = reply.cookie
      answer.append('set-cookie', `kbs-session-id=${value}; Expires=${expires.toUTCString()}`)
    }
    return new Response(Buffer.from(reply.body), { status: reply.status, headers: answer })
  }
}
