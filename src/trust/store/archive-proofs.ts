import { limits } from '#base/index.ts'
import type { ArchiveContainer, Generation } from '#content/index.ts'
import { type Digest, digestHex, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { proofOf } from '../proof.ts'
import type { Proof } from '../types.ts'
import type { GatherLimits } from './gather-proofs.ts'

/** docs/archive-format.md, Signatures: a bundle over the index of the generation whose digest is the folder. */
const folder = 'artifacts/sealift/signatures/'
const pathGrammar = /^artifacts\/sealift\/signatures\/([0-9a-f]{64})\/[0-9a-f]{64}\.sigstore\.json$/

/** What the statement calls its subject: where the signed bytes are in the archive. */
export const archiveRootName = 'artifacts/sealift/index.json'

/** The file that carries a bundle over an archive's index, for the generation after it. */
export function archiveSignatureFile(
  root: Digest,
  bundle: Uint8Array,
): { readonly path: string; readonly bytes: Uint8Array } {
  const path = `${folder}${digestHex(root)}/${digestHex(digestOf(bundle))}.sigstore.json`
  return { path, bytes: bundle }
}

/** One state of an archive that somebody signed, and what came after it, which the signature does not cover. */
export interface SignedArchive {
  /** Of the index: what is signed. It names every content and file of its generation with digest and place. */
  readonly root: Digest
  readonly generation: number
  /** Not judged yet; the subject to judge them about is `root`. */
  readonly proofs: readonly Proof[]
  /** How many contents it covers. */
  readonly contents: number
  /** Contents that a later generation added. */
  readonly added: readonly Digest[]
  /** Files that a later one replaced or added (index.json names the roots), but for signatures. */
  readonly changed: readonly string[]
}

/**
 * The signed states of an archive, the oldest first, with their proofs. Reads indexes and signatures, no content: what
 * a good proof covers may be trusted by its digest, whenever it is read.
 *
 * @throws PROOF_TOO_MANY, ARCHIVE_INVALID, CONTENT_DAMAGED
 */
export async function gatherArchiveProofs(
  archive: Pick<ArchiveContainer, 'reader' | 'generations'>,
  bounds: Pick<GatherLimits, 'proofs' | 'proofBytes'> = limits,
): Promise<readonly SignedArchive[]> {
  const { reader } = archive
  const files = reader.index.files.filter(({ path }) => pathGrammar.test(path))
  if (files.length === 0) return []
  if (files.length > bounds.proofs) {
    throw failure(
      'PROOF_TOO_MANY',
      `the archive holds ${files.length} signatures, over the limit of ${bounds.proofs}`,
    )
  }
  const proofs = new Map<string, Proof[]>()
  for (const { path, size } of files) {
    const [, hex = ''] = pathGrammar.exec(path) ?? []
    if (size > bounds.proofBytes) {
      throw failure('PROOF_TOO_LARGE', `${path} has ${size} bytes, over the limit of ${bounds.proofBytes}`)
    }
    const held = proofs.get(hex) ?? []
    proofs.set(hex, held)
    held.push(proofOf('bundle', await reader.readFile(path, bounds.proofBytes)))
  }
  const generations = await archive.generations()
  const newest = generations.at(-1) as Generation
  return generations.flatMap((generation): SignedArchive[] => {
    const held = proofs.get(digestHex(generation.head.indexDigest))
    return held ? [{ ...coverage(generation, newest), proofs: held }] : []
  })
}

function coverage({ head, index }: Generation, newest: Generation): Omit<SignedArchive, 'proofs'> {
  const covered = new Map(index.blobs.map(({ digest, offset }) => [digest, offset]))
  const files = new Map(index.files.map(({ path, digest }) => [path, digest]))
  return {
    root: head.indexDigest,
    generation: index.generation,
    contents: index.blobs.length,
    added: newest.index.blobs.flatMap(({ digest }) => (covered.has(digest) ? [] : [digest])),
    changed: newest.index.files.flatMap(({ path, digest }) =>
      files.get(path) === digest || path.startsWith(folder) ? [] : [path],
    ),
  }
}
