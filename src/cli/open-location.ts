import { basename } from 'node:path'
import type {
  BundleContainer,
  CallOptions,
  Container,
  Referrers,
  Repository,
  Root,
  Source,
} from '#content/index.ts'
import { type Descriptor, formatReference, parseReference } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { Location } from './locations.ts'
import type { Registries } from './registries.ts'

/** One entry point of what was opened, and where to read it from: its own repository, so that its tags are seen. */
export interface OpenedRoot {
  readonly root: Descriptor
  readonly source: Source | (Source & Referrers)
  /** HOST/REPOSITORY:TAG, or whatever the container calls it. */
  readonly reference?: string
}

/** A location, open to read. */
export interface Opened extends AsyncDisposable {
  readonly location: Location
  readonly roots: readonly OpenedRoot[]
  /** Everything else that is there, where the location is a container. */
  readonly container?: Container
  /** bundle.json, where an archive holds one. */
  bundle(maxBytes: number): Promise<Uint8Array | undefined>
}

/**
 * Opens a location to read. A registry reference is one root; a container gives all of its roots, or the one that
 * the location names.
 *
 * @throws CONTENT_NOT_FOUND, LOCATION_INVALID, and whatever the container or the registry throws
 */
export async function openLocation(
  location: Location,
  registries: () => Promise<Registries>,
  options: CallOptions = {},
): Promise<Opened> {
  if (location.kind === 'registry') {
    const { reference } = location
    const source = (await registries()).repository(reference)
    const root = await source.resolve(reference.digest ?? reference.tag ?? 'latest', options)
    const name = formatReference(
      reference.digest || reference.tag ? reference : parseReference(`${formatReference(reference)}:latest`),
    )
    return {
      location,
      roots: [{ root, source, reference: name }],
      bundle: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
  const container = await openContainer(location)
  try {
    return {
      location,
      container,
      roots: await rootsOf(container, location.inside, options),
      bundle: async (maxBytes) => ('bundle' in container ? container.bundle(maxBytes) : undefined),
      [Symbol.asyncDispose]: () => container.close(),
    }
  } catch (error) {
    await container.close()
    throw error
  }
}

/** @throws LOCATION_INVALID, LAYOUT_INVALID, ARCHIVE_INVALID, FILE_SYSTEM */
export async function openContainer(
  location: Exclude<Location, { kind: 'registry' }>,
): Promise<Container | BundleContainer> {
  const content = await import('#content/index.ts')
  const { kind, path, text } = location
  switch (kind) {
    case 'oci-archive':
      return content.openOciArchive(path)
    case 'docker-archive':
      return content.openDockerArchive(path)
    case 'bundle':
      throw failure('LOCATION_INVALID', `${text} is a bundle.json, which holds no content itself`, {
        hint: `Pack it first: sealift pack ${basename(path)} -o app.tgz`,
      })
    default:
      return content.openContainer(path)
  }
}

async function rootsOf(
  container: Container,
  inside: string | undefined,
  options: CallOptions,
): Promise<OpenedRoot[]> {
  const all = await container.roots()
  if (inside === undefined) {
    return Promise.all(all.map((root) => opened(container, root)))
  }
  const root = await resolveInside(container, all, inside, options)
  const named = all.find(
    ({ descriptor, reference }) => descriptor.digest === root.digest && reference?.endsWith(inside),
  )
  const known = named ?? all.find(({ descriptor }) => descriptor.digest === root.digest)
  return [await opened(container, known ?? { descriptor: root })]
}

/** By whole name or digest; a bare tag also finds the one root that has it. @throws CONTENT_NOT_FOUND */
async function resolveInside(
  container: Container,
  all: readonly Root[],
  inside: string,
  options: CallOptions,
): Promise<Descriptor> {
  try {
    return await container.source.resolve(inside, options)
  } catch (error) {
    const [tagged, ...others] = all.filter(({ reference }) => tagIn(reference) === inside)
    if (!tagged || others.length > 0) throw error
    return tagged.descriptor
  }
}

/** A root with the repository that it is in: legacy signatures are tags there. */
async function opened(container: Container, { descriptor, reference }: Root): Promise<OpenedRoot> {
  const source = (await repositoryOf(container, descriptor, reference)) ?? container.source
  return { root: descriptor, source, ...(reference !== undefined && { reference }) }
}

async function repositoryOf(
  container: Container,
  root: Descriptor,
  reference: string | undefined,
): Promise<Repository | undefined> {
  const name = repositoryName(root, reference)
  if (name !== undefined) return container.repository(name)
  for (const candidate of await container.names()) {
    const repository = await container.repository(candidate)
    if (await repository?.find(root.digest)) return repository
  }
  return undefined
}

/** HOST/PATH of a root that has a whole name, by its reference or by what an archive notes about it. */
export function repositoryName(root: Descriptor, reference: string | undefined): string | undefined {
  const text = reference?.includes('/') ? reference : root.annotations?.['io.sealift.repository']
  if (!text?.includes('/')) return undefined
  try {
    const { registry, repository } = parseReference(text)
    return `${registry}/${repository}`
  } catch {
    return undefined
  }
}

/** The plain tag in a root's name, where it has one. */
export function tagIn(reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined
  if (!reference.includes('/')) return /^\w[\w.-]{0,127}$/.test(reference) ? reference : undefined
  try {
    return parseReference(reference).tag
  } catch {
    return undefined
  }
}
