import { canonicalJson, isFailure, type Json, packageLimits, parseJson } from '#base/index.ts'
import type { Claims, Plugin, PluginRequest, Problems, Reply } from '../types.ts'
import { failure } from './codes.ts'
import { isAbort, kindOf } from './foreign.ts'
import type { PackagePlugin } from './types.ts'

type Asked = Omit<PluginRequest, 'caller'>

const accesses: ReadonlySet<unknown> = new Set<ReturnType<Plugin['access']>>([
  'public',
  'certificate',
  'attested',
  'admin',
])
const mediaType = /^[a-z0-9][a-z0-9.+-]{0,60}\/[a-z0-9][a-z0-9.+-]{0,60}(; ?charset=utf-8)?$/

/**
 * A plugin of somebody else's as the broker uses it. What it answers is checked, as who may ask and whether an answer
 * is encrypted hang on it: what is none of the words is a refusal, never a guess.
 */
export class GuardedPlugin implements Plugin, AsyncDisposable {
  readonly name: string
  readonly problems: Problems
  readonly #plugin: PackagePlugin

  constructor(name: string, plugin: PackagePlugin, problems: Problems) {
    this.name = name
    this.#plugin = plugin
    this.problems = problems
  }

  /** @throws PACKAGE_FAILED, and the codes of the package */
  access(request: Asked): ReturnType<Plugin['access']> {
    const access = this.#told('access', () => this.#plugin.access(request))
    if (!accesses.has(access)) throw this.#nonsense('access')
    return access
  }

  /** @throws as `access` */
  encrypted(request: Asked): boolean {
    const encrypted: unknown = this.#told('encrypted', () => this.#plugin.encrypted(request))
    if (typeof encrypted !== 'boolean') throw this.#nonsense('encrypted')
    return encrypted
  }

  /** What stands in the request, whatever the plugin says; and what it adds, under its name. @throws as `access` */
  policyData(request: PluginRequest): Claims {
    const { path, query } = request
    const plain = { plugin: this.name, 'resource-path': [...path], query: { ...query } }
    if (!this.#plugin.policyData) return plain
    return { ...plain, [this.name]: this.#added(request) }
  }

  /** @throws as `access` */
  async handle(request: PluginRequest, at: Date, signal: AbortSignal): Promise<Reply> {
    let reply: unknown
    try {
      reply = await this.#plugin.handle(request, at, signal)
    } catch (error) {
      if (isAbort(error, signal)) throw error
      throw this.#failed('handle', error)
    }
    const { mediaType: type, body, noStore } = (reply ?? {}) as Partial<Reply>
    const isGood =
      typeof type === 'string' &&
      mediaType.test(type) &&
      body instanceof Uint8Array &&
      body.length <= packageLimits.replyBytes &&
      typeof noStore === 'boolean'
    if (!isGood) throw this.#nonsense('handle')
    return { mediaType: type, body, noStore }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#plugin[Symbol.asyncDispose]?.()
    } catch (error) {
      throw this.#failed('closing', error)
    }
  }

  /** Plain JSON: the log has to bear it, and whoever replays a decision. */
  #added(request: PluginRequest): Json {
    const added: unknown = this.#told('policyData', () => this.#plugin.policyData?.(request))
    if (typeof added !== 'object' || added === null || Array.isArray(added))
      throw this.#nonsense('policyData')
    try {
      return parseJson(canonicalJson(added as Json), {
        maxBytes: packageLimits.policyDataBytes,
        maxDepth: packageLimits.policyDataDepth,
      })
    } catch {
      throw this.#nonsense('policyData')
    }
  }

  #told<T>(what: string, act: () => T): T {
    try {
      return act()
    } catch (error) {
      throw this.#failed(what, error)
    }
  }

  #failed(what: string, error: unknown) {
    if (isFailure(error)) return error
    return failure('PACKAGE_FAILED', `the plugin ${this.name} failed in ${what} with ${kindOf(error)}`)
  }

  #nonsense(what: string) {
    return failure('PACKAGE_FAILED', `the plugin ${this.name} answered nonsense to ${what}`)
  }
}
