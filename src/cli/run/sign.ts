import { walk } from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import {
  archiveRootName,
  archiveSignatureFile,
  formatSimpleSigning,
  formatStatement,
  imageSignatureType,
  ProofCargo,
  type SigningMeans,
  sealLegacySignature,
  sealStatement,
} from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { SignFlags } from '../commands/sign.ts'
import type { Context } from '../context.ts'
import { demandSigning } from '../gate/permits.ts'
import type { Opened } from '../open-location.ts'
import {
  nameOfPlace,
  type ProofPlace,
  proofPlaces,
  type RepositoryCargo,
  writeProofs,
} from '../proof-places.ts'
import { openSession, type Session } from '../session.ts'
import { count, print } from '../shell/print.ts'
import { signWhole } from '../sign-whole.ts'
import { openSigningMeans } from '../signing-means.ts'

interface SignedFacts {
  readonly reference?: string
  readonly digest: Digest
  /** The manifest that carries the bundle; that of the legacy tag. */
  readonly bundle: Digest
  readonly legacy?: Digest
}

export async function run(this: Context, flags: SignFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const location = await session.location(text)
  const annotations = annotationsOf(flags.annotation ?? [])
  if (flags.whole === true) {
    if (location.kind !== 'archive' || location.inside !== undefined) {
      throw failure('USAGE', `--whole signs a file, and ${text} is none that is an archive`)
    }
    if (flags.legacy === true || flags.recursive === true) {
      throw failure('USAGE', '--whole signs the file alone; --legacy and --recursive sign what is inside')
    }
    const means = await openSigningMeans(this, flags)
    const whole = await signWhole(this, location.path, annotations, means)
    print(this, session.format, { location: text, signed: [], whole }, () => {
      return `signed ${whole.digest}\nwrote ${whole.file}`
    })
    return
  }
  const opened = await session.open(location)
  const places = await proofPlaces(session, opened)
  if (places.length === 0) throw failure('LOCATION_INVALID', `there is nothing to sign at ${text}`)
  await demandSigning(this, session, places.map(nameOfPlace))
  const means = await openSigningMeans(this, flags)
  const legacy = flags.legacy ?? session.settings.legacySignatures ?? false
  const signing = new Signing(session, means, annotations, legacy)
  for (const place of places) await signing.sign(place, flags.recursive === true)
  const archive = await signArchive(session, opened, annotations, means)
  await writeProofs(session, opened, signing.cargoes, archive ? [archive.file] : [])
  const facts = {
    location: text,
    signed: signing.signed,
    ...(archive && { archive: { root: archive.root, generation: archive.generation } }),
  }
  print(this, session.format, facts, () =>
    [
      ...signing.signed.map(({ reference, digest }) =>
        `signed ${reference ?? ''} ${digest}`.replace('  ', ' '),
      ),
      ...(archive ? [`signed ${text} ${archive.root} (its index, generation ${archive.generation})`] : []),
      `wrote ${count(signing.signed.length, 'signature')} to ${text}`,
    ].join('\n'),
  )
}

/** Signs contents one after the other, and gathers what is to be written, by repository. */
class Signing {
  readonly signed: SignedFacts[] = []
  readonly #byRepository = new Map<string | undefined, ProofCargo>()
  readonly #session: Session
  readonly #means: SigningMeans
  readonly #annotations: Readonly<Record<string, string>>
  readonly #legacy: boolean

  constructor(
    session: Session,
    means: SigningMeans,
    annotations: Readonly<Record<string, string>>,
    legacy: boolean,
  ) {
    this.#session = session
    this.#means = means
    this.#annotations = annotations
    this.#legacy = legacy
  }

  get cargoes(): RepositoryCargo[] {
    return [...this.#byRepository].map(([repository, cargo]) => ({ repository, cargo }))
  }

  async sign(place: ProofPlace, isRecursive: boolean): Promise<void> {
    await this.#sign(place, place.subject, place.reference)
    if (!isRecursive) return
    const { signal, concurrency } = this.#session
    const { nodes } = await walk(place.subject, place.source, { signal, concurrency, referrers: false })
    for (const { descriptor, isManifest } of nodes) {
      if (!isManifest || this.signed.some(({ digest }) => digest === descriptor.digest)) continue
      const { mediaType, digest, size } = descriptor
      await this.#sign(place, { mediaType, digest, size }, undefined)
    }
  }

  async #sign(place: ProofPlace, subject: Descriptor, reference: string | undefined): Promise<void> {
    const { signal } = this.#session
    const cargo = this.#byRepository.get(place.repository) ?? new ProofCargo()
    this.#byRepository.set(place.repository, cargo)
    const { digest } = subject
    const statement = formatStatement([{ digest, annotations: this.#annotations }], imageSignatureType)
    const { bundle } = await sealStatement(statement, this.#means, { signal })
    const facts = { predicateType: imageSignatureType, created: new Date() }
    const carrier = await cargo.addBundle(subject, bundle, facts)
    this.signed.push({
      ...(reference !== undefined && { reference }),
      digest,
      bundle: carrier.digest,
      ...(this.#legacy && { legacy: await this.#signLegacy(cargo, place, subject) }),
    })
  }

  async #signLegacy(cargo: ProofCargo, place: ProofPlace, subject: Descriptor): Promise<Digest> {
    const { signal } = this.#session
    const payload = formatSimpleSigning(subject.digest, place.repository ?? '', this.#annotations)
    const layer = await sealLegacySignature(payload, this.#means, { signal })
    return (await cargo.addLegacySignature(subject, layer, place.source, { signal })).digest
  }
}

/** The index of an archive that is signed as a whole; undefined for other locations, and for one root of an archive. */
async function signArchive(
  { signal }: Session,
  { location, container }: Opened,
  annotations: Readonly<Record<string, string>>,
  means: SigningMeans,
) {
  if (location.kind !== 'archive' || location.inside !== undefined) return undefined
  if (container === undefined || !('reader' in container)) return undefined
  const { reader } = container as import('#content/index.ts').ArchiveContainer
  const { indexDigest: root, generation } = reader.pointer
  const statement = formatStatement(
    [{ digest: root, name: archiveRootName, annotations }],
    imageSignatureType,
  )
  const { bundle } = await sealStatement(statement, means, { signal })
  return { root, generation, file: archiveSignatureFile(root, bundle) }
}

/** @throws USAGE */
function annotationsOf(texts: readonly string[]): Record<string, string> {
  const annotations: Record<string, string> = Object.create(null)
  for (const text of texts) {
    const equals = text.indexOf('=')
    if (equals < 1) throw failure('USAGE', `--annotation ${JSON.stringify(text)} is not KEY=VALUE`)
    const key = text.slice(0, equals)
    if (key in annotations) throw failure('USAGE', `--annotation names ${key} twice`)
    annotations[key] = text.slice(equals + 1)
  }
  return { ...annotations }
}
