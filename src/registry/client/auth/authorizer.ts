import { isFailure, type SealiftError } from '#base/index.ts'
import { abortable } from '../abortable.ts'
import { failure } from '../codes.ts'
import type { Credential, Credentials } from '../credentials/credential.ts'
import { fields, type HeaderFields } from '../http/exchange.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type Scope, scopeNames } from './scope.ts'
import { basicHeader, fetchToken, type Token, type TokenServer } from './token.ts'

export interface AuthorizerOptions extends TokenServer {
  /** HOST[:PORT] as the reference names it. */
  readonly registry: string
  readonly credentials: Credentials
  /** Whether this plain HTTP realm may be spoken to, for a registry that was reached over plain HTTP or not. */
  readonly mayBePlain: (realm: URL, overPlainHttp: boolean) => boolean
}

type Mode =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined }

const maxTokens = 1000
const maxExtraScopes = 8

/** What one registry wants to see in the Authorization field; knows its tokens until they expire. */
export class Authorizer {
  readonly #options: AuthorizerOptions
  /** By realm, service and scopes. Kept here, with the one registry, a token cannot get to another. */
  readonly #tokens = new Map<string, Promise<Token>>()
  readonly #extraScopes = new Map<string, readonly string[]>()
  #mode: Mode | undefined

  constructor(options: AuthorizerOptions) {
    this.#options = options
  }

  /** The field for a request, from what earlier challenges taught; undefined where nothing is known to be wanted. */
  async header(scope: Scope, signal: AbortSignal | undefined): Promise<string | undefined> {
    const mode = this.#mode
    if (!mode) return undefined
    if (mode.kind === 'basic') return basicOf(await this.#credential(scope, signal))
    const credential = await this.#credential(scope, signal)
    if (credential?.registryToken !== undefined) return `Bearer ${credential.registryToken}`
    return `Bearer ${(await this.#token(mode, scope, credential, signal)).value}`
  }

  /**
   * Learns from a 401 that came from `from`. `used` is the field that was refused; returns the one to try instead.
   *
   * @throws REGISTRY_UNAUTHORIZED where there is nothing else to try, and the codes of `fetchToken`
   */
  async answer(
    scope: Scope,
    from: URL,
    headers: HeaderFields,
    used: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const challenges = parseChallenges(fields(headers, 'www-authenticate').join(', '))
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer) {
      const mode = this.#bearerMode(bearer, from)
      this.#mode = mode
      this.#learnScopes(scope, bearer.parameters.get('scope'))
      // The token that was refused is not offered again.
      await this.#forget(mode, scope, used)
    } else if (challenges.some(({ scheme }) => scheme === 'basic')) this.#mode = { kind: 'basic' }
    else throw this.#unauthorized('offers no way to log in that is known here (Basic, Bearer)')

    const header = await this.header(scope, signal)
    if (header === undefined) throw this.#unauthorized('wants credentials, and there are none')
    if (header === used) throw this.#unauthorized('does not accept the credentials')
    return header
  }

  #bearerMode({ parameters }: Challenge, from: URL): Mode & { kind: 'bearer' } {
    const { registry, mayBePlain } = this.#options
    const realm = URL.parse(parameters.get('realm') ?? '')
    if (realm?.username !== '' || realm.password !== '') {
      throw failure('REGISTRY_ANSWER_INVALID', `${registry} names no valid token server`)
    }
    if (
      realm.protocol !== 'https:' &&
      !(realm.protocol === 'http:' && mayBePlain(realm, from.protocol === 'http:'))
    ) {
      throw failure(
        'REGISTRY_PLAIN_HTTP',
        `${registry} names a token server that is not reached by HTTPS: ${realm.protocol}//${realm.host}`,
      )
    }
    return { kind: 'bearer', realm, service: parameters.get('service') }
  }

  /** A registry may want more than what we think a request needs; it says so in its challenge. */
  #learnScopes(scope: Scope, challenged: string | undefined): void {
    if (challenged === undefined) return
    const names = scopeNames(scope)
    const extra = challenged
      .split(' ')
      .filter((name) => name !== '' && !names.some((own) => covers(own, name)))
      .slice(0, maxExtraScopes)
    if (extra.length > 0 && this.#extraScopes.size < maxTokens) this.#extraScopes.set(names.join(' '), extra)
  }

  #token(
    mode: Mode & { kind: 'bearer' },
    scope: Scope,
    credential: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const { now } = this.#options.pace
    const { key, scopes } = this.#keyOf(mode, scope)
    const fetchNew = () => {
      // Whoever asks first fetches for all; its signal must not stop the others.
      const token = fetchToken(this.#options, { ...mode, scopes, credential, signal: undefined })
      this.#tokens.delete(key)
      if (this.#tokens.size >= maxTokens) this.#tokens.delete(this.#tokens.keys().next().value as string)
      this.#tokens.set(key, token)
      token.catch(() => {
        if (this.#tokens.get(key) === token) this.#tokens.delete(key)
      })
      return token
    }
    const known = this.#tokens.get(key)
    const token = known
      ? known.then((held) => {
          if (held.untilMs > now()) return held
          const newer = this.#tokens.get(key)
          return newer !== undefined && newer !== known ? newer : fetchNew()
        })
      : fetchNew()
    return abortable(token, signal)
  }

  async #forget(mode: Mode & { kind: 'bearer' }, scope: Scope, used: string | undefined): Promise<void> {
    if (used === undefined) return
    const { key } = this.#keyOf(mode, scope)
    const held = this.#tokens.get(key)
    const token = await held?.catch(() => undefined)
    if (token && `Bearer ${token.value}` === used && this.#tokens.get(key) === held) this.#tokens.delete(key)
  }

  #keyOf({ realm, service }: Mode & { kind: 'bearer' }, scope: Scope) {
    const names = scopeNames(scope)
    const scopes = [...names, ...(this.#extraScopes.get(names.join(' ')) ?? [])]
    return { scopes, key: JSON.stringify([realm.href, service, scopes]) }
  }

  async #credential({ repository }: Scope, signal: AbortSignal | undefined): Promise<Credential | undefined> {
    return this.#options.credentials(this.#options.registry, repository, signal)
  }

  #unauthorized(why: string): SealiftError {
    const { registry } = this.#options
    return failure('REGISTRY_UNAUTHORIZED', `${registry} ${why}`, { detail: { host: registry, status: 401 } })
  }
}

function basicOf(credential: Credential | undefined): string | undefined {
  if (credential?.username === undefined || credential.password === undefined) return undefined
  return basicHeader(credential.username, credential.password)
}

/** Whether asking for `own` asks for `wanted` too: `repository:a:pull,push` covers `repository:a:pull`. */
function covers(own: string, wanted: string): boolean {
  const [ownHead, ownActions] = split(own)
  const [head, actions] = split(wanted)
  return head === ownHead && actions.every((action) => ownActions.includes(action))
}

function split(scope: string): [string, string[]] {
  const colon = scope.lastIndexOf(':')
  return [scope.slice(0, colon), scope.slice(colon + 1).split(',')]
}

/** Whether a failure is about who may do something. */
export const isAboutRights = (error: unknown): boolean =>
  isFailure(error, 'REGISTRY_UNAUTHORIZED') || isFailure(error, 'REGISTRY_FORBIDDEN')
