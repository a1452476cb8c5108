import { canonicalJson, type Json, limits, parseJson } from '#base/index.ts'
import {
  bytesReader,
  type CallOptions,
  MemoryStore,
  type Passage,
  type Referrers,
  readVerified,
  type Source,
  type Target,
} from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes, parseManifest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { type SigningMeans, sealStatement } from '../sign/seal.ts'
import type { SignedBy } from '../sign/signatory.ts'
import { formatStatement, imageSignatureType } from '../sign/statement.ts'
import { gatherProofs } from '../store/gather-proofs.ts'
import { ProofCargo } from '../store/proof-cargo.ts'
import type { NamedRoot, Proof, TrustedKey } from '../types.ts'
import { judgeAll } from '../verify/judge-all.ts'
import { prepareTrust } from '../verify/prepared-trust.ts'
import { parseTrustedRoot } from '../verify/trusted-root.ts'
import { checkRootName } from './root-record.ts'

/** Artifact type of an update of trust that travels over a gap, and the media type of its config. */
export const carriedRootType = 'application/vnd.sealift.trust-root.v1+json'
const rootMediaType = 'application/vnd.dev.sigstore.trustedroot.v0.2+json'

/** A trusted root on its way, as its sender numbered it. */
export interface CarriedRoot extends NamedRoot {
  /** Never goes back: whole, from 1 on. */
  readonly version: number
}

/** An update, signed and ready to be written. */
export interface PackedRoot {
  readonly manifest: Descriptor
  readonly by: SignedBy
  /** What `copyAll` is to carry to the target: the update, and its signature beside it. */
  passages(target: Target, tags: readonly string[]): Passage[]
}

/**
 * A signed update as an OCI artifact with its signature beside it.
 *
 * @throws TRUST_ROOT_INVALID, TRUST_ROOT_NAME_INVALID, and the codes of `sealStatement`
 */
export async function packRoot(
  carried: CarriedRoot,
  means: SigningMeans,
  options?: CallOptions,
): Promise<PackedRoot> {
  const { name, version, issuers, root } = carried
  checkRootName(name)
  parseTrustedRoot(carried)
  const store = new MemoryStore()
  const keep = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await store.write(descriptor, async (offset) => bytesReader(bytes.subarray(offset)))
    return descriptor
  }
  const about = canonicalJson({ name, version, ...(issuers && { issuers: [...issuers] }) })
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: carriedRootType,
    config: await keep(about, carriedRootType),
    layers: [await keep(canonicalJson(root), rootMediaType)],
  }
  const manifest = await keep(canonicalJson(body as unknown as Json), mediaTypes.ociManifest)
  const statement = formatStatement([{ digest: manifest.digest }], imageSignatureType)
  const { bundle, by } = await sealStatement(statement, means, options)
  const cargo = new ProofCargo()
  await cargo.addBundle(manifest, bundle, { predicateType: imageSignatureType, created: new Date() })
  return {
    manifest,
    by,
    passages: (target, tags) => [{ root: manifest, source: store, target, tags }, ...cargo.passages(target)],
  }
}

/** Whether this manifest is such an update. @throws whatever the source throws */
export async function isCarriedRoot(
  source: Source,
  manifest: Descriptor,
  options?: CallOptions,
): Promise<boolean> {
  if (manifest.mediaType !== mediaTypes.ociManifest) return false
  const bytes = await readVerified(source, manifest, limits.manifestBytes, options)
  return parseManifest(bytes, manifest.mediaType).artifactType === carriedRootType
}

/** What a signed update says. Not judged: see `checkCarriedRoot`. @throws TRUST_ROOT_UPDATE_INVALID, TRUST_ROOT_INVALID */
export async function readCarriedRoot(
  source: Source & Referrers,
  manifest: Descriptor,
  options?: CallOptions,
): Promise<{ readonly carried: CarriedRoot; readonly proofs: readonly Proof[] }> {
  const bytes = await readVerified(source, manifest, limits.manifestBytes, options)
  const body = parseManifest(bytes, manifest.mediaType)
  const [layer, more] = body.kind === 'image' ? body.layers : []
  if (body.kind !== 'image' || body.artifactType !== carriedRootType || !layer || more) {
    throw failure('TRUST_ROOT_UPDATE_INVALID', `${manifest.digest} is no update of a trusted root`)
  }
  const read = async (part: Descriptor): Promise<Json> =>
    parseJson(await readVerified(source, part, limits.manifestBytes, options), {
      maxBytes: limits.manifestBytes,
    })
  const carried = aboutOf(await read(body.config), await read(layer))
  const proofs: Proof[] = []
  for await (const proof of gatherProofs(source, manifest, options)) proofs.push(proof)
  return { carried, proofs }
}

function aboutOf(about: Json, root: Json): CarriedRoot {
  const { name, version, issuers, ...rest } = (about ?? {}) as {
    readonly name?: unknown
    readonly version?: unknown
    readonly issuers?: unknown
  }
  const isVersion = Number.isSafeInteger(version) && (version as number) >= 1
  const isIssuers =
    issuers === undefined || (Array.isArray(issuers) && issuers.every((one) => typeof one === 'string'))
  if (typeof name !== 'string' || !isVersion || !isIssuers || Object.keys(rest).length > 0) {
    throw failure('TRUST_ROOT_UPDATE_INVALID', 'the update does not say which root it is, or which version')
  }
  const carried = { name: checkRootName(name), version: version as number, root }
  return issuers === undefined ? carried : { ...carried, issuers: issuers as string[] }
}

/**
 * Who signed the update, among those who may: the key's id and name.
 *
 * @throws SIGNATURE_ABSENT, TRUST_MATERIAL_INVALID, or the code with which its signature is refused (KEY_UNTRUSTED,
 *   SIGNATURE_INVALID, KEY_EXPIRED, ...)
 */
export function checkCarriedRoot(
  manifest: Descriptor,
  proofs: readonly Proof[],
  keys: readonly TrustedKey[],
  at: Date,
): { readonly keyId: string; readonly name: string } {
  const { digest, mediaType } = manifest
  const { signatures, refused } = judgeAll(
    { digest, mediaType },
    proofs,
    prepareTrust({ keys, roots: [] }),
    at,
  )
  for (const { signer } of signatures) {
    if (signer.kind === 'key') return { keyId: signer.keyId, name: signer.name }
  }
  const [first] = refused
  if (!first) throw failure('SIGNATURE_ABSENT', 'nobody signed the update of the trusted root')
  throw failure(
    first.code as 'KEY_UNTRUSTED',
    `the update of the trusted root is not by anybody who may update it: ${first.message}`,
    { hint: 'Name the key of its sender with --key, if you trust it with this root.' },
  )
}
