import { type Container, type Repository, walk } from '#content/index.ts'
import { type Descriptor, type Digest, makeReference, type Reference } from '#oci/index.ts'

/** Where the contents of references are: a registry's repositories, or an archive's. */
export interface Mirror {
  /** For messages. */
  readonly name: string
  /** The repository where the content of a reference would be; undefined where this mirror has none such. */
  repositoryOf(reference: Reference, signal: AbortSignal): Promise<Repository | undefined>
  /** What holds a content by its digest, innermost first, each with the repository that it is in. */
  holders?(digest: Digest, signal: AbortSignal): Promise<readonly Held[]>
}

export interface Held {
  readonly descriptor: Descriptor
  readonly repository: Repository
}

/** The part of a registry client that is needed. */
export interface RegistryRepositories {
  repository(reference: Pick<Reference, 'registry' | 'repository'>): Repository
}

/**
 * A registry: under a prefix everything is at PREFIX/PATH, where PATH is the repository without its registry, as
 * `sealift relocate --to PREFIX` lays it out; what is named below the prefix already stays there.
 * Without a prefix each reference is asked for where it says.
 */
export function registryMirror(registries: RegistryRepositories, prefix?: string): Mirror {
  const [registry = '', ...path] = prefix?.replace(/\/+$/, '').split('/') ?? []
  const below = path.length === 0 ? '' : `${path.join('/')}/`
  return {
    name: prefix ?? 'the registry',
    repositoryOf: async (reference) => {
      const isThere = reference.registry === registry && reference.repository.startsWith(below)
      if (prefix === undefined || isThere) return registries.repository(reference)
      return registries.repository(makeReference({ registry, repository: below + reference.repository }))
    },
  }
}

export interface ContainerMirrorOptions {
  /** For messages. */
  readonly name: string
  open(): Promise<Container>
  /** Another text once the stored bytes are others: the container is opened again. */
  stamp(): Promise<string>
  /** What was opened before is closed after so long, in milliseconds: somebody may still be reading it. */
  readonly closeAfterMs?: number
}

/**
 * An archive or layout. A reference is found by its whole name, or by the path of one under any prefix, as after
 * `sealift relocate`: `registry.enclave/vendor/shop/web` is `registry.example/shop/web` in here.
 */
export function containerMirror(options: ContainerMirrorOptions): Mirror & AsyncDisposable {
  const { name, closeAfterMs = 30_000 } = options
  let opened: { stamp: string; container: Promise<Opened> } | undefined
  const current = async (): Promise<Opened> => {
    const stamp = await options.stamp()
    if (opened?.stamp !== stamp) {
      const before = opened
      const container = options.open().then((container) => new Opened(container))
      opened = { stamp, container }
      container.catch(() => {
        if (opened?.container === container) opened = undefined
      })
      const closeOld = () =>
        void before?.container.then((old) => old.container.close()).catch(() => undefined)
      if (before) setTimeout(closeOld, closeAfterMs).unref()
    }
    return opened!.container
  }
  return {
    name,
    repositoryOf: async (reference) => (await current()).repositoryOf(reference),
    holders: async (digest, signal) => (await current()).holders(digest, signal),
    [Symbol.asyncDispose]: async () => (await opened?.container)?.container.close(),
  }
}

class Opened {
  readonly container: Container
  #parents: Promise<ReadonlyMap<Digest, Held>> | undefined

  constructor(container: Container) {
    this.container = container
  }

  async repositoryOf({ registry, repository }: Reference): Promise<Repository | undefined> {
    const whole = await this.container.repository(`${registry}/${repository}`)
    if (whole) return whole
    for (const name of await this.container.names()) {
      const path = name.slice(name.indexOf('/') + 1)
      if (repository === path || repository.endsWith(`/${path}`)) return this.container.repository(name)
    }
    return undefined
  }

  async holders(digest: Digest, signal: AbortSignal): Promise<readonly Held[]> {
    this.#parents ??= this.#findParents(signal).catch((error) => {
      this.#parents = undefined
      throw error
    })
    const parents = await this.#parents
    const chain = new Map<Digest, Held>()
    for (let up = parents.get(digest); up && !chain.has(up.descriptor.digest); ) {
      chain.set(up.descriptor.digest, up)
      up = parents.get(up.descriptor.digest)
    }
    return [...chain.values()]
  }

  /** Of each manifest the first index or bundle that names it, found by following all roots down. */
  async #findParents(signal: AbortSignal): Promise<ReadonlyMap<Digest, Held>> {
    const parents = new Map<Digest, Held>()
    for (const { descriptor } of await this.container.roots()) {
      const repository = await this.#repositoryWith(descriptor.digest, signal)
      if (!repository) continue
      const { nodes } = await walk(descriptor, this.container.source, { signal, referrers: false })
      for (const node of nodes) {
        for (const child of node.children) {
          const { digest } = child.descriptor
          if (!parents.has(digest)) parents.set(digest, { descriptor: node.descriptor, repository })
        }
      }
    }
    return parents
  }

  async #repositoryWith(digest: Digest, signal: AbortSignal): Promise<Repository | undefined> {
    for (const name of await this.container.names()) {
      const repository = await this.container.repository(name)
      if (await repository?.find(digest, { signal })) return repository
    }
    return undefined
  }
}
