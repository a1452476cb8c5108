import type { KeyObject } from 'node:crypto'
import { canonicalJson, isFailure, type Json, limits, parseJson } from '#base/index.ts'
import {
  bytesReader,
  type CallOptions,
  copyAll,
  legacyTag,
  MemoryStore,
  type Passage,
  readVerified,
  type Source,
  type Target,
} from '#content/index.ts'
import { type Descriptor, type Digest, digestOf, isObject, mediaTypes } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { isSignedBy } from '../verify/signature.ts'
import { type LegacyLayer, legacyAnnotations } from './legacy-proof.ts'
import { bundleMediaType, dsseMediaType, simpleSigningMediaType } from './proof-media-types.ts'

/** What the referrer of a bundle tells beside it, so that readers need not open it to choose. */
export interface BundleFacts {
  /** Of the statement inside; absent where the bundle holds a message signature. */
  readonly predicateType?: string
  /** When it was attached. */
  readonly created: Date
}

/** One passenger: its manifest, and the tag that ties it to its subject where it is a legacy one. */
interface Item {
  readonly root: Descriptor
  readonly source: Source
  readonly tags: readonly string[]
}

/**
 * Proofs on their way into a repository, beside the content they prove, in the forms that cosign writes. They are
 * gathered here and carried by `copy`, so that registries, layouts and archives take them alike; several of one
 * archive in one generation.
 */
export class ProofCargo {
  readonly #store = new MemoryStore()
  /** By legacy tag: a second layer for the same tag goes on top of the first. */
  readonly #tagged = new Map<string, Item>()
  readonly #items: Item[] = []

  /** A Sigstore bundle as an OCI 1.1 referrer of `subject` (cosign 3, pkg/oci/remote/write.go, WriteReferrer). */
  async addBundle(subject: Descriptor, bundle: Uint8Array, facts: BundleFacts): Promise<Descriptor> {
    const config = await this.#keep(encode('{}'), mediaTypes.empty)
    const layer = await this.#keep(bundle, bundleMediaType)
    const { predicateType, created } = facts
    const annotations = {
      'dev.sigstore.bundle.content': predicateType === undefined ? 'message-signature' : 'dsse-envelope',
      ...(predicateType !== undefined && { 'dev.sigstore.bundle.predicateType': predicateType }),
      'org.opencontainers.image.created': `${created.toISOString().slice(0, 19)}Z`,
    }
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      // cosign repeats the artifact type here; the spec's place is the manifest's own member.
      config: { ...inGoOrder(config), artifactType: bundleMediaType },
      layers: [inGoOrder(layer)],
      annotations,
      subject: inGoOrder(subject),
      artifactType: bundleMediaType,
    }
    const root = await this.#keep(encode(JSON.stringify(manifest)), mediaTypes.ociManifest)
    this.#items.push({ root, source: this.#store, tags: [] })
    return root
  }

  /** A simple-signing payload under `sha256-HEX.sig`, after those that `existing` holds there. */
  addLegacySignature(
    subject: Descriptor,
    layer: LegacyLayer,
    existing: Source,
    options?: CallOptions,
  ): Promise<Descriptor> {
    return this.#append(subject, 'sig', simpleSigningMediaType, layer, existing, options)
  }

  /** A DSSE envelope under `sha256-HEX.att`, after those that `existing` holds there. */
  addLegacyAttestation(
    subject: Descriptor,
    layer: LegacyLayer,
    existing: Source,
    options?: CallOptions,
  ): Promise<Descriptor> {
    return this.#append(subject, 'att', dsseMediaType, layer, existing, options)
  }

  /** What `copyAll` is to carry to `target`. */
  passages(target: Target): Passage[] {
    return [...this.#items, ...this.#tagged.values()].map((item) => ({ ...item, target }))
  }

  /** Writes all of it. @throws whatever the target throws */
  async writeTo(target: Target, options?: CallOptions): Promise<void> {
    await copyAll(this.passages(target), { ...options, referrers: false })
  }

  async #append(
    subject: Descriptor,
    suffix: 'sig' | 'att',
    mediaType: string,
    { payload, annotations, key }: LegacyLayer,
    existing: Source,
    options: CallOptions | undefined,
  ): Promise<Descriptor> {
    const tag = legacyTag(subject.digest, suffix)
    const before = this.#tagged.get(tag)
    const source = before?.source ?? withFallback(this.#store, existing)
    const earlier = before?.root ?? (await resolved(existing, tag, options))
    const layers = earlier ? await layersOf(source, earlier, options) : []
    const layer = { ...inGoOrder(await this.#keep(payload, mediaType)), annotations: sorted(annotations) }
    // One signer's signature over one payload is there once, as with cosign.
    const isThere = layers.some(
      (held) =>
        Buffer.compare(canonicalJson(held), canonicalJson(layer)) === 0 ||
        (key !== undefined && isSignedAlready(held, layer.digest, payload, key)),
    )
    if (!isThere) layers.push(layer)
    const config = await this.#keep(encode(JSON.stringify(legacyConfig(layers))), mediaTypes.ociConfig)
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: inGoOrder(config),
      layers,
    }
    const root = await this.#keep(encode(JSON.stringify(manifest)), mediaTypes.ociManifest)
    this.#tagged.set(tag, { root, source, tags: [tag] })
    return root
  }

  async #keep(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await this.#store.write(descriptor, async (offset) => bytesReader(bytes.subarray(offset)))
    return descriptor
  }
}

function isSignedAlready(held: Json, digest: Digest, payload: Uint8Array, key: KeyObject): boolean {
  if (!isObject(held) || held.digest !== digest || !isObject(held.annotations)) return false
  const signature = held.annotations[legacyAnnotations.signature]
  return typeof signature === 'string' && isSignedBy(key, payload, Buffer.from(signature, 'base64'))
}

/** The order in which Go writes a descriptor's members: cosign's own manifests come out byte for byte. */
const inGoOrder = ({ mediaType, size, digest }: Descriptor) => ({ mediaType, size, digest })

const sorted = (annotations: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1)))

const encode = (text: string): Uint8Array => Buffer.from(text)

/** The config that cosign writes: an image of nothing whose layers are the payloads. */
function legacyConfig(layers: readonly Json[]) {
  const created = '0001-01-01T00:00:00Z'
  const digests = layers.map((layer) => (isObject(layer) ? (layer.digest as string) : ''))
  return {
    architecture: '',
    created,
    history: layers.map(() => ({ created })),
    os: '',
    rootfs: { type: 'layers', diff_ids: digests },
    config: {},
  }
}

async function resolved(source: Source, tag: string, options?: CallOptions): Promise<Descriptor | undefined> {
  try {
    return await source.resolve(tag, options)
  } catch (error) {
    if (isFailure(error, 'CONTENT_NOT_FOUND')) return undefined
    throw error
  }
}

/** The layers of the manifest that is there, with every member they have. @throws PROOF_MALFORMED, PROOF_TOO_MANY */
async function layersOf(source: Source, earlier: Descriptor, options?: CallOptions): Promise<Json[]> {
  const bytes = await readVerified(source, earlier, limits.manifestBytes, options)
  const body = parseJson(bytes, { maxBytes: limits.manifestBytes })
  if (!isObject(body) || !Array.isArray(body.layers) || !body.layers.every(isObject)) {
    throw failure('PROOF_MALFORMED', `${earlier.digest} is named as signatures, and is no manifest of such`)
  }
  if (body.layers.length >= limits.proofs) {
    throw failure(
      'PROOF_TOO_MANY',
      `${earlier.digest} holds ${body.layers.length} signatures, and takes no more (${limits.proofs})`,
    )
  }
  return body.layers
}

/** What was made here, and for the rest (layers of signatures that were there before) the place itself. */
function withFallback(made: MemoryStore, existing: Source): Source {
  const isMade = (digest: Digest) => made.held(digest) !== undefined
  return {
    resolve: (reference, options) => existing.resolve(reference, options),
    open: (content, range, options) =>
      isMade(content.digest) ? made.open(content, range) : existing.open(content, range, options),
  }
}
