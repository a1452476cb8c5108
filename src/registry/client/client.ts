import { setTimeout as wait } from 'node:timers/promises'
import { limits as defaultLimits, type Limits, nodeFileSystem } from '#base/index.ts'
import { makeReference, type Reference } from '#oci/index.ts'
import { Authorizer } from './auth/authorizer.ts'
import { anonymous, type Credentials } from './credentials/credential.ts'
import { isLoopback } from './hosts.ts'
import { BodyBuffers } from './http/body-buffers.ts'
import { certificates, type TlsOf } from './http/certificates.ts'
import { Origins } from './http/origins.ts'
import type { ProxyOf } from './http/proxies.ts'
import { type SchemeOf, schemes } from './http/scheme.ts'
import { mirrorPlaces } from './mirrors.ts'
import type { Pace } from './pace.ts'
import type { MayConnect } from './redirect.ts'
import { RegistryHost } from './registry-host.ts'
import { RegistryMemory } from './registry-memory.ts'
import { RegistryRepository } from './repository.ts'
import type { UploadJournal } from './upload-journal.ts'

/** All optional: without any, a client for public registries, with the system's CAs and no proxy. */
export interface RegistryClientOptions {
  readonly credentials?: Credentials
  readonly tls?: TlsOf
  readonly proxies?: ProxyOf
  /** By registry: base URLs to ask before it, in their order; a path in one goes before the repository's name. */
  readonly mirrors?: ReadonlyMap<string, readonly string[]>
  /** Hosts (HOST[:PORT]) to be reached over plain HTTP. */
  readonly plainHttp?: readonly string[]
  /** Connections to one host at once; 16 where it is not said. */
  readonly connections?: number
  /** Where uploads go on after the process was killed. */
  readonly uploads?: UploadJournal
  readonly userAgent?: string
  /** Told what registries want their users to know (`Warning: 299`), each text once. */
  readonly onWarning?: (registry: string, text: string) => void
  readonly now?: () => number
  readonly random?: () => number
  readonly sleep?: Pace['sleep']
  readonly limits?: Partial<Limits>
}

const maxWarnings = 100

/** Talks to any number of registries, and shares connections, tokens and knowledge between their repositories. */
export class RegistryClient implements AsyncDisposable {
  readonly #options: RegistryClientOptions
  readonly #pace: Pace
  readonly #origins: Origins
  readonly #buffers = new BodyBuffers()
  readonly #hosts = new Map<string, RegistryHost>()
  readonly #memories = new Map<string, RegistryMemory>()
  readonly #repositories = new Map<string, RegistryRepository>()
  readonly #warned = new Set<string>()
  readonly #schemeOf: SchemeOf

  constructor(options: RegistryClientOptions = {}) {
    this.#options = options
    const limits = { ...defaultLimits, ...options.limits }
    this.#pace = {
      limits,
      now: options.now ?? Date.now,
      random: options.random ?? Math.random,
      sleep: options.sleep ?? ((ms, signal) => wait(ms, undefined, signal && { signal })),
    }
    this.#schemeOf = schemes(options.plainHttp ?? [], limits.connectMs)
    this.#origins = new Origins({
      tls:
        options.tls ??
        certificates({ files: nodeFileSystem, env: {}, folders: [], maxBytes: limits.credentialFileBytes }),
      proxies: options.proxies ?? (() => undefined),
      connections: options.connections ?? 16,
      limits,
      now: this.#pace.now,
    })
  }

  /**
   * The repository that a reference names; the same object for the same repository.
   *
   * @throws REFERENCE_INVALID
   */
  repository({ registry, repository }: Pick<Reference, 'registry' | 'repository'>): RegistryRepository {
    const name = `${registry}/${repository}`
    let known = this.#repositories.get(name)
    if (!known) {
      makeReference({ registry, repository })
      known = this.#open(registry, repository)
      this.#repositories.set(name, known)
    }
    return known
  }

  /** Breaks off what is under way and closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#origins[Symbol.asyncDispose]()
  }

  #open(registry: string, repository: string): RegistryRepository {
    const { mirrors, uploads } = this.#options
    let memory = this.#memories.get(registry)
    if (!memory) {
      memory = new RegistryMemory(this.#pace.limits.knownDigests)
      this.#memories.set(registry, memory)
    }
    const means = {
      place: { host: this.#host(registry, this.#schemeOf), repository },
      memory,
      buffers: this.#buffers,
      uploads,
    }
    const others = mirrorPlaces(mirrors?.get(registry) ?? [], repository, (url) =>
      this.#host(url.host, async () => url.protocol as 'http:' | 'https:', url.protocol),
    )
    return new RegistryRepository(means, others)
  }

  #host(registry: string, scheme: SchemeOf, prefix = ''): RegistryHost {
    const key = `${prefix}//${registry}`
    let host = this.#hosts.get(key)
    if (host) return host
    const { credentials = anonymous, userAgent = 'sealift' } = this.#options
    const exchange = this.#origins.exchange.bind(this.#origins)
    const mayConnect = this.#mayConnect
    const authorizer = new Authorizer({
      registry,
      credentials,
      exchange,
      pace: this.#pace,
      userAgent,
      mayBePlain: (realm, overPlainHttp) => overPlainHttp && mayConnect(realm),
    })
    host = new RegistryHost({
      registry,
      scheme,
      exchange,
      authorizer,
      mayConnect,
      pace: this.#pace,
      userAgent,
      onWarning: (from, text) => this.#warn(from, text),
    })
    this.#hosts.set(key, host)
    return host
  }

  /** Plain HTTP only on loopback, and to hosts that are named for it. */
  readonly #mayConnect: MayConnect = (url) => {
    if (url.protocol === 'https:') return true
    const { plainHttp = [] } = this.#options
    return isLoopback(url.host) || plainHttp.includes(url.host) || plainHttp.includes(`${url.host}:80`)
  }

  #warn(registry: string, text: string): void {
    const key = `${registry} ${text}`
    if (this.#warned.has(key) || this.#warned.size >= maxWarnings) return
    this.#warned.add(key)
    this.#options.onWarning?.(registry, text)
  }
}
