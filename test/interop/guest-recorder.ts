// A key broker of a few lines, made of the attestation room alone, that writes down all that is said. It is for
// recording what guests send: what a real broker of ours does with it is guest-client.interop.ts.
import type { KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import {
  appraise,
  challengeFor,
  compileAttestationPolicy,
  type ErrorVariant,
  earClaims,
  encryptTo,
  evidenceVerifiers,
  formatChallenge,
  formatErrorBody,
  formatJwkSet,
  formatTokenResponse,
  type ProtocolVersion,
  parseAttestationRequest,
  parseAuthRequest,
  parseJwkSet,
  parseTeeKey,
  statusOf,
  type TeeKey,
  teeKeyClaim,
  tokenSigner,
  verifyAttestation,
  verifyToken,
  versionOfKey,
} from '#attestation/index.ts'

/** One request and its answer; headers are those that the protocol is about. */
export interface RecordedExchange {
  readonly request: {
    readonly method: string
    readonly path: string
    readonly contentType?: string
    readonly cookie?: string
    readonly authorization?: string
    readonly body: string
  }
  readonly response: { readonly status: number; readonly setCookie?: string; readonly body: string }
}

interface RecorderSession {
  readonly version: ProtocolVersion
  readonly tee: ReturnType<typeof parseAuthRequest>['tee']
  readonly nonce: string
  teeKey?: TeeKey
  /** How many resources were served in it. */
  served: number
}

export interface RecorderOptions {
  /** By path, `default/key/one`. All below `secret/` is refused by policy. */
  readonly resources: Readonly<Record<string, string>>
  /** Signs tokens. */
  readonly tokenKey: KeyObject
  /** A session has ended after so many resources. */
  readonly resourcesPerSession?: number
}

export interface GuestRecorder extends AsyncDisposable {
  readonly url: string
  /** All of it, in order. */
  readonly exchanges: readonly RecordedExchange[]
}

/** Of a request's headers. */
interface Proofs {
  readonly cookie?: string | undefined
  readonly authorization?: string | undefined
}

interface Answer {
  readonly status: number
  readonly body: Uint8Array
  readonly setCookie?: string
}

const policy = compileAttestationPolicy([
  { path: 'policy.rego', text: 'package policy\ntrust_claims := {"executables": 3, "hardware": 2}' },
])
const prefix = '/kbs/v0/'

const refuse = (variant: ErrorVariant, detail: string): Answer => ({
  status: statusOf(variant),
  body: formatErrorBody(variant, detail),
})

/** Listens on a free port of this machine. */
export async function guestRecorder({
  resources,
  tokenKey,
  resourcesPerSession = Number.POSITIVE_INFINITY,
}: RecorderOptions): Promise<GuestRecorder> {
  const signer = tokenSigner(tokenKey)
  const keys = parseJwkSet(formatJwkSet([signer]))
  const sessions = new Map<string, RecorderSession>()
  const exchanges: RecordedExchange[] = []

  function auth(body: Uint8Array): Answer {
    const { version, tee } = parseAuthRequest(body)
    const challenge = challengeFor(tee)
    const id = `${sessions.size + 1}`.padStart(32, '0')
    sessions.set(id, { version, tee, nonce: challenge.nonce, served: 0 })
    const expires = new Date(Date.now() + 300_000).toUTCString()
    return {
      status: 200,
      body: formatChallenge(challenge),
      setCookie: `kbs-session-id=${id}; Expires=${expires}`,
    }
  }

  async function attest(session: RecorderSession, body: Uint8Array): Promise<Answer> {
    const at = new Date()
    const verified = await verifyAttestation(
      parseAttestationRequest(body, session.version),
      { ...session, allowRsa15: true },
      evidenceVerifiers(['sample', 'sampledevice']),
      new Map(),
      at,
    )
    session.teeKey = verified.teeKey
    const appraisals = appraise(verified, () => ({ id: 'default', policy }), [], at)
    const terms = { issuer: 'sealift', build: 'recorder', developer: 'https://sealift.example' }
    return { status: 200, body: formatTokenResponse(signer.sign(earClaims(appraisals, terms, at))) }
  }

  /** A guest that has its token from elsewhere. */
  function bearerSession(token: string): RecorderSession {
    const jwk = teeKeyClaim(verifyToken(token, { keys }, new Date()).claims)
    const version = versionOfKey(jwk)
    const teeKey = parseTeeKey(jwk, version, { allowRsa15: true })
    return { version, tee: 'sample', nonce: '', teeKey, served: 0 }
  }

  function resource(session: RecorderSession, path: string): Answer {
    if (path.startsWith('secret/')) return refuse('PolicyDeny', 'the policy does not allow this')
    const secret = resources[path]
    if (secret === undefined) return refuse('InvalidRequestPath', 'there is no such resource')
    session.served++
    return { status: 200, body: encryptTo(session.teeKey!, Buffer.from(secret), session.version) }
  }

  async function answer(path: string, { cookie, authorization }: Proofs, body: Uint8Array): Promise<Answer> {
    if (path === 'auth') return auth(body)
    const session = authorization
      ? bearerSession(authorization.replace('Bearer ', ''))
      : sessions.get(cookie?.replace('kbs-session-id=', '') ?? '')
    if (!session) return refuse('TokenNotFound', 'there is no session')
    if (path === 'attest') return await attest(session, body)
    if (!session.teeKey || session.served >= resourcesPerSession) {
      return refuse('TokenNotFound', 'the session has ended')
    }
    return resource(session, path.replace('resource/', ''))
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!
    const body = await buffer(request)
    const { cookie, authorization, 'content-type': contentType } = request.headers
    const { status, body: told, setCookie } = await answer(path.slice(prefix.length), request.headers, body)
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(setCookie !== undefined && { 'set-cookie': setCookie }),
    })
    response.end(told)
    exchanges.push({
      request: {
        method: request.method!,
        path,
        ...(contentType !== undefined && { contentType }),
        ...(cookie !== undefined && { cookie }),
        ...(authorization !== undefined && { authorization }),
        body: body.toString(),
      },
      response: { status, ...(setCookie !== undefined && { setCookie }), body: Buffer.from(told).toString() },
    })
  }

  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      console.error(error)
      response.writeHead(500).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
