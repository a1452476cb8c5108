import { nodeFileSystem } from '#base/index.ts'
import {
  ArchiveWriter,
  LayoutTarget,
  OciArchiveTarget,
  repositoryNameFor,
  type Target,
} from '#content/index.ts'
import { isTag, parseReference } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { Location } from './locations.ts'
import { type OpenedRoot, repositoryName, tagIn } from './open-location.ts'
import type { Registries } from './registries.ts'

type NamedRoot = Pick<OpenedRoot, 'root'> & { readonly reference?: string | undefined }
type Roots = readonly NamedRoot[]

/** Where one root goes, and what it is called there. */
export interface Place {
  readonly target: Target
  readonly tags: readonly string[]
  /** How somebody finds it afterwards. */
  readonly name: string
}

/** A location, open to write: one Target for each repository in it. */
export interface OpenedTarget extends AsyncDisposable {
  placeOf(root: NamedRoot): Place
}

/**
 * Opens a location to write to. With a name of its own (`oci:DIR:REF`, a reference) the one root gets that name;
 * without, every root keeps the one it has.
 *
 * @param roots what is to go there
 * @throws USAGE where the names do not fit together, LOCATION_INVALID
 */
export async function openTarget(
  location: Location,
  roots: Roots,
  registries: () => Promise<Registries>,
): Promise<OpenedTarget> {
  if (location.kind === 'registry') return registryTarget(location, roots, await registries())
  const { inside, path, text } = location
  if (inside !== undefined) {
    if (!inside.includes('/') && !isTag(inside))
      throw failure('USAGE', `${text} does not name a tag or HOST/REPOSITORY:TAG inside`)
    assertOneNamed(text, roots)
  }
  switch (location.kind) {
    case 'layout':
      return perRepository(
        location,
        (repository) => new LayoutTarget(path, repository === undefined ? {} : { repository }),
        roots,
      )
    case 'oci-archive':
      if (await nodeFileSystem.stat(path)) {
        throw failure(
          'LOCATION_INVALID',
          `${text} is there already, and an oci-archive is written as a whole`,
          {
            hint: 'Remove it first, or write to an archive (FILE.tgz), which can be added to.',
          },
        )
      }
      return ociArchive(location, roots)
    case 'archive':
      return archive(location, roots)
    default:
      throw failure(
        'LOCATION_INVALID',
        `${text} can be read, but not written to (write to oci:DIR, oci-archive:FILE or FILE.tgz)`,
      )
  }
}

type FileLocation = Exclude<Location, { kind: 'registry' }>

function registryTarget(
  { reference, text }: Extract<Location, { kind: 'registry' }>,
  roots: Roots,
  registries: Registries,
): OpenedTarget {
  if (reference.digest !== undefined) {
    throw failure('USAGE', `${text} names a digest, which is not for the target to choose`)
  }
  if (reference.tag !== undefined) assertOneNamed(text, roots)
  const repositories = new Set(roots.map(({ root, reference: name }) => repositoryName(root, name)))
  if (repositories.size > 1) {
    throw failure('USAGE', `the source holds ${repositories.size} repositories, but ${text} is one`, {
      hint: 'Name one root (SOURCE:REF), or bring a whole bundle along with `sealift relocate`.',
    })
  }
  const target = registries.repository(reference)
  const whole = `${reference.registry}/${reference.repository}`
  return {
    placeOf: ({ root, reference: name }) => {
      const tag = isNamed({ root, reference: name }, roots) ? (reference.tag ?? tagIn(name)) : undefined
      return {
        target,
        tags: tag === undefined ? [] : [tag],
        name: tag === undefined ? `${whole}@${root.digest}` : `${whole}:${tag}`,
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** Roots by their repositories, each of which is a Target of its own. */
function perRepository(
  location: FileLocation,
  open: (repository: string | undefined) => Target,
  roots: Roots,
  fallback?: string,
): OpenedTarget {
  const targets = new Map<string | undefined, Target>()
  return {
    placeOf: (root) => {
      const { repository = fallback, tag } = nameIn(location, root, roots)
      const target = targets.get(repository) ?? open(repository)
      targets.set(repository, target)
      return { target, tags: tag === undefined ? [] : [tag], name: wholeName(repository, tag, root) }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** An oci-archive is one Target: its index.json holds whole names. */
function ociArchive(location: FileLocation, roots: Roots): OpenedTarget {
  const target = new OciArchiveTarget(location.path)
  return {
    placeOf: (root) => {
      const { repository, tag } = nameIn(location, root, roots)
      const name = wholeName(repository, tag, root)
      return { target, tags: tag === undefined ? [] : [name], name }
    },
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  }
}

/** A new archive, or an addition to the one that is there. */
async function archive(location: FileLocation, roots: Roots): Promise<OpenedTarget> {
  const { path } = location
  const isThere = (await nodeFileSystem.stat(path)) !== undefined
  const writer = isThere ? await ArchiveWriter.append(path) : new ArchiveWriter(path)
  const fallback = `localhost/${repositoryNameFor(path)}`
  const { placeOf } = perRepository(location, (name) => writer.repository(name ?? fallback), roots, fallback)
  return { placeOf, [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose]() }
}

/** What a root is called at a location: the location's own name for the one that has a name, else the root's. */
function nameIn(
  { inside }: FileLocation,
  { root, reference }: NamedRoot,
  roots: Roots,
): { repository?: string | undefined; tag?: string | undefined } {
  const own = inside?.includes('/') ? parseReference(inside) : undefined
  if (inside === undefined) return { repository: repositoryName(root, reference), tag: tagIn(reference) }
  // A bare name is meant as it is written.
  const repository = own && `${own.registry}/${own.repository}`
  return {
    repository,
    tag: isNamed({ root, reference }, roots) ? (own ? (own.tag ?? 'latest') : inside) : undefined,
  }
}

function wholeName(repository: string | undefined, tag: string | undefined, { root }: NamedRoot): string {
  if (repository === undefined) return tag ?? root.digest
  return tag === undefined ? `${repository}@${root.digest}` : `${repository}:${tag}`
}

/** Whether this is the root that a name in the target is for: the only one, or the only one with a name. */
const isNamed = (root: NamedRoot, roots: Roots): boolean => roots.length === 1 || root.reference !== undefined

/** @throws USAGE */
function assertOneNamed(text: string, roots: Roots): void {
  const named = roots.filter(({ reference }) => reference !== undefined)
  if (roots.length === 1 || named.length === 1) return
  throw failure('USAGE', `${text} is a name for one root, but the source has ${roots.length}`, {
    hint: 'Name one of them: SOURCE:REF (see `sealift ls`).',
  })
}
