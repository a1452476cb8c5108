import { limits } from '#base/index.ts'
import {
  ArchiveWriter,
  copyAll,
  LayoutTarget,
  type Referrers,
  readVerified,
  repositoryNameFor,
  type Source,
  type Target,
} from '#content/index.ts'
import { type Descriptor, isManifestType, parseManifest } from '#oci/index.ts'
import type { ProofCargo } from '#trust/index.ts'
import { failure } from './codes.ts'
import { type Opened, type OpenedRoot, repositoryName, tagIn } from './open-location.ts'
import type { Session } from './session.ts'

/** One content that may be signed: what it is, and the repository in which its proofs are. */
export interface ProofPlace {
  readonly subject: Descriptor
  readonly source: Source & Referrers
  /** HOST/REPOSITORY:TAG or what else it is called. */
  readonly reference?: string
  /** HOST/REPOSITORY, where its name tells. */
  readonly repository?: string
}

/** The roots that are content, and not themselves proofs of something: no legacy tags, nothing with a subject. */
export async function proofPlaces(session: Session, opened: Opened): Promise<ProofPlace[]> {
  const places: ProofPlace[] = []
  for (const root of opened.roots) {
    const isNamed = opened.location.kind === 'registry' || opened.location.inside !== undefined
    if (isNamed || !(await isProof(session, root))) places.push(placeOf(root))
  }
  return places
}

/** Under which name the rules of access know it. */
export const nameOfPlace = ({ reference, repository, subject }: ProofPlace): string =>
  reference ?? repository ?? subject.digest

/** The one content that a location names. @throws LOCATION_INVALID where there is none, USAGE where there are more */
export async function onePlace(session: Session, opened: Opened, text: string): Promise<ProofPlace> {
  const [place, ...more] = await proofPlaces(session, opened)
  if (!place) throw failure('LOCATION_INVALID', `there is nothing at ${text}`)
  if (more.length > 0) {
    throw failure('USAGE', `${text} holds ${more.length + 1} contents, and one is meant`, {
      hint: 'Name one of them: LOCATION:REFERENCE (see `sealift ls`).',
    })
  }
  return place
}

function placeOf({ root, source, reference }: OpenedRoot): ProofPlace {
  if (!('referrers' in source)) throw failure('LOCATION_INVALID', 'the location cannot tell what is signed')
  const repository = repositoryName(root, reference)
  const { mediaType, digest, size } = root
  return {
    subject: { mediaType, digest, size },
    source,
    ...(reference !== undefined && { reference }),
    ...(repository !== undefined && { repository }),
  }
}

async function isProof({ signal }: Session, { root, source, reference }: OpenedRoot): Promise<boolean> {
  if (/^sha(256|384|512)-[0-9a-f]+\.(sig|att|sbom)$/.test(tagIn(reference) ?? '')) return true
  if (!isManifestType(root.mediaType)) return false
  const bytes = await readVerified(source, root, limits.manifestBytes, { signal })
  return parseManifest(bytes, root.mediaType).subject !== undefined
}

/** Proofs for one repository of a location. */
export interface RepositoryCargo {
  readonly repository: string | undefined
  readonly cargo: ProofCargo
}

/**
 * Writes proofs to where their subjects are: one generation of an archive, one change of a layout.
 *
 * @param files for the archive itself
 * @throws LOCATION_INVALID for a place that cannot be added to, and whatever the target throws
 */
export async function writeProofs(
  session: Session,
  { location }: Opened,
  cargoes: readonly RepositoryCargo[],
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[] = [],
): Promise<void> {
  const { signal } = session
  const carry = async (targetOf: (repository: string | undefined) => Target) => {
    const passages = cargoes.flatMap(({ repository, cargo }) => cargo.passages(targetOf(repository)))
    await copyAll(passages, { signal, referrers: false })
  }
  switch (location.kind) {
    case 'registry': {
      const target = (await session.registries()).repository(location.reference)
      return carry(() => target)
    }
    case 'layout': {
      const open = (repository: string | undefined) =>
        new LayoutTarget(location.path, repository === undefined ? {} : { repository })
      return carry(once(open))
    }
    case 'archive': {
      await using writer = await ArchiveWriter.append(location.path, { files })
      const fallback = `localhost/${repositoryNameFor(location.path)}`
      if (cargoes.length > 0)
        return await carry(once((repository) => writer.repository(repository ?? fallback)))
      // Files alone are a generation too.
      const nothing = writer.repository(fallback)
      await nothing.prepare?.({ contents: [], taggings: [], roots: [] }, { signal })
      await nothing.commit?.({ signal })
      return
    }
    default:
      throw failure('LOCATION_INVALID', `${location.text} cannot be added to`, {
        hint: 'Copy it first: sealift copy FILE app.tgz, or to a layout (oci:DIR) or registry.',
      })
  }
}

function once(open: (repository: string | undefined) => Target) {
  const targets = new Map<string | undefined, Target>()
  return (repository: string | undefined): Target => {
    const target = targets.get(repository) ?? open(repository)
    targets.set(repository, target)
    return target
  }
}
