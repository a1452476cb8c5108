import type { Json } from '#base/index.ts'
import type { ArchiveContainer } from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import {
  archiveRootName,
  archiveSignatureFile,
  formatStatement,
  legacyAttestation,
  ProofCargo,
  type SigningMeans,
  sealStatement,
} from '#trust/index.ts'
import type { Context } from './context.ts'
import { isArchive } from './gate/holders.ts'
import { demandSigning } from './gate/permits.ts'
import type { Opened } from './open-location.ts'
import { nameOfPlace, onePlace, type ProofPlace, writeProofs } from './proof-places.ts'
import type { Session } from './session.ts'

/** What is said of a content. */
export interface SaidOf {
  readonly predicateType: string
  readonly predicate: Json
  /** Write cosign's older form beside the bundle. */
  readonly legacy?: boolean
}

/** The one content that a location names, where whoever runs the command may sign it. @throws NOT_PERMITTED, and the codes of `onePlace` */
export async function placeToSign(
  context: Context,
  session: Session,
  opened: Opened,
  text: string,
  verb?: 'sign' | 'override',
): Promise<ProofPlace> {
  const place = await onePlace(session, opened, text)
  await demandSigning(context, session, [nameOfPlace(place)], verb)
  return place
}

/** Signs a statement about one content and writes it beside that. @returns the manifests that carry it */
export async function attachStatement(
  session: Session,
  opened: Opened,
  { subject, repository, source }: ProofPlace,
  { predicateType, predicate, legacy }: SaidOf,
  means: SigningMeans,
): Promise<{ readonly bundle: Digest; readonly legacy?: Digest }> {
  const { signal } = session
  const about = { digest: subject.digest, ...(repository !== undefined && { name: repository }) }
  const sealed = await sealStatement(formatStatement([about], predicateType, predicate), means, { signal })
  const cargo = new ProofCargo()
  const carrier = await cargo.addBundle(subject, sealed.bundle, { predicateType, created: new Date() })
  const older: Descriptor | undefined = legacy
    ? await cargo.addLegacyAttestation(subject, legacyAttestation(sealed, predicateType), source, { signal })
    : undefined
  await writeProofs(session, opened, [{ repository, cargo }])
  return { bundle: carrier.digest, ...(older && { legacy: older.digest }) }
}

/** The archive that a location is as a whole, where it is one. */
export function wholeArchive({ location, container }: Opened): ArchiveContainer | undefined {
  if (location.kind !== 'archive' || location.inside !== undefined || container === undefined)
    return undefined
  return isArchive(container) ? container : undefined
}

/** Signs a statement about an archive's index, which holds everything in it. @returns that index */
export async function attachToArchive(
  session: Session,
  opened: Opened,
  { reader }: ArchiveContainer,
  { predicateType, predicate }: SaidOf,
  means: SigningMeans,
): Promise<Digest> {
  const { indexDigest: digest } = reader.pointer
  const statement = formatStatement([{ digest, name: archiveRootName }], predicateType, predicate)
  const { bundle } = await sealStatement(statement, means, { signal: session.signal })
  await writeProofs(session, opened, [], [archiveSignatureFile(digest, bundle)])
  return digest
}
