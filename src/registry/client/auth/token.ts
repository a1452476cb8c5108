import type { Limits } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { parseAnswer, readAnswer } from '../answer.ts'
import { failure } from '../codes.ts'
import type { Credential } from '../credentials/credential.ts'
import { connectionFault, isPassing } from '../http/connection-faults.ts'
import { field, type HttpRequest, type HttpResponse } from '../http/exchange.ts'
import { isRetryable, type Pace, Retries } from '../pace.ts'

/** A token and the moment (milliseconds since 1970) from which on it is not used any more. */
export interface Token {
  readonly value: string
  readonly untilMs: number
}

export interface TokenQuestion {
  readonly realm: URL
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly credential: Credential | undefined
  readonly signal: AbortSignal | undefined
}

/** What fetching a token stands on. */
export interface TokenServer {
  readonly exchange: (request: HttpRequest) => Promise<HttpResponse>
  readonly pace: Pace
  readonly userAgent: string
}

const clientId = 'sealift'
/** Where the server does not say how long a token is good (distribution, docs/spec/auth/token.md). */
const defaultLifeSeconds = 60

/**
 * Asks a token server: by GET (docs/spec/auth/token.md), or by POST (docs/spec/auth/oauth.md) with an identity
 * token, or with a password where GET is not taken. No redirect is followed: credentials stay where they were sent.
 *
 * @throws REGISTRY_UNAUTHORIZED, REGISTRY_TOKEN_INVALID, REGISTRY_BUSY, REGISTRY_FAILED, connection codes
 */
export async function fetchToken(server: TokenServer, question: TokenQuestion): Promise<Token> {
  const { credential } = question
  if (credential?.identityToken !== undefined)
    return parseToken(await ask(server, question, 'POST'), server, question)
  const answer = await ask(server, question, 'GET')
  const getNotTaken = answer.status === 404 || answer.status === 405
  if (!getNotTaken || credential?.password === undefined) return parseToken(answer, server, question)
  return parseToken(await ask(server, question, 'POST'), server, question)
}

interface TokenAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly bytes: Uint8Array
}

async function ask(
  server: TokenServer,
  question: TokenQuestion,
  method: 'GET' | 'POST',
): Promise<TokenAnswer> {
  const { exchange, pace } = server
  const { realm, signal } = question
  const { limits, now } = pace
  const retries = new Retries(pace)
  for (;;) {
    try {
      const request = method === 'GET' ? getRequest(question) : postRequest(question)
      const headers = { 'user-agent': server.userAgent, accept: 'application/json', ...request.headers }
      const response = await exchange({ ...request, headers, method, signal })
      const bounds = { host: realm.host, maxBytes: limits.tokenBytes, limits, now }
      const retryAfter = field(response.headers, 'retry-after')
      const bytes = await readAnswer(response.body, bounds)
      const { status } = response
      if (!isRetryable(status) || !(await retries.again(retryAfter, signal)))
        return { status, retryAfter, bytes }
    } catch (error) {
      signal?.throwIfAborted()
      const fault = connectionFault(realm.host, error)
      if (!isPassing(fault) || fault.code === 'REGISTRY_UNREACHABLE') throw fault
      if (!(await retries.again(undefined, signal))) throw fault
    }
  }
}

function getRequest({ realm, service, scopes, credential }: TokenQuestion) {
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (credential?.username === undefined || credential.password === undefined) return { url, headers: {} }
  url.searchParams.set('account', credential.username)
  return { url, headers: { authorization: basicHeader(credential.username, credential.password) } }
}

function postRequest({ realm, service, scopes, credential }: TokenQuestion) {
  const form = new URLSearchParams({ client_id: clientId })
  if (service !== undefined) form.set('service', service)
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  if (credential?.identityToken !== undefined) {
    form.set('grant_type', 'refresh_token')
    form.set('refresh_token', credential.identityToken)
  } else {
    form.set('grant_type', 'password')
    form.set('username', credential?.username ?? '')
    form.set('password', credential?.password ?? '')
  }
  return {
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  }
}

export const basicHeader = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

function parseToken(
  { status, retryAfter, bytes }: TokenAnswer,
  server: TokenServer,
  question: TokenQuestion,
): Token {
  const { host } = question.realm
  const { limits, now } = server.pace
  // What the body of a refusal says is not repeated: it may echo what was sent.
  if (status === 401 || status === 403 || status === 400) {
    const why = question.credential ? 'does not accept the credentials' : 'gives no token without credentials'
    throw failure('REGISTRY_UNAUTHORIZED', `the token server ${host} ${why} (${status})`, {
      detail: { host, status },
    })
  }
  if (status === 429 || (status === 503 && retryAfter !== undefined)) {
    throw failure('REGISTRY_BUSY', `the token server ${host} is too busy (${status})`, {
      detail: { host, status },
    })
  }
  if (status >= 500) {
    throw failure('REGISTRY_FAILED', `the token server ${host} failed (${status})`, {
      detail: { host, status },
    })
  }
  if (status !== 200) throw failure('REGISTRY_TOKEN_INVALID', `the token server ${host} answered ${status}`)
  return tokenIn(bytes, host, limits, now())
}

function tokenIn(bytes: Uint8Array, host: string, limits: Limits, nowMs: number): Token {
  const answer = parseAnswer(bytes, host, 'the token')
  const fields = isObject(answer) ? answer : {}
  const value = fields.token || fields.access_token
  if (typeof value !== 'string' || value.length > limits.tokenBytes || !/^[\x21-\x7e]+$/.test(value)) {
    throw failure('REGISTRY_TOKEN_INVALID', `the answer of the token server ${host} holds no usable token`)
  }
  const said = fields.expires_in
  const lifeSeconds = typeof said === 'number' && said > 0 ? Math.min(said, 86_400) : defaultLifeSeconds
  // A tenth is left for the way there and for clocks that run at different speeds.
  return { value, untilMs: nowMs + lifeSeconds * 900 }
}
