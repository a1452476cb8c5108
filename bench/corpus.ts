// About 1 GB of blobs that do not compress, the same for every run: one image of 1,500 small layers, two with
// layers from a few bytes to 300 MB. Made as an OCI layout, from where the peers load it.
import { createCipheriv } from 'node:crypto'
import { mkdir, open, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Descriptor, Digester, digestOf, mediaTypes } from '#oci/index.ts'

export interface Corpus {
  readonly directory: string
  readonly tags: readonly string[]
  readonly sizeBytes: number
  readonly blobs: number
}

const mib = 1024 * 1024

/** The name that the images have in layouts and archives. */
export const corpusRepository = 'bench.example/corpus'

/** Layer sizes of each image; `scale` shrinks them for a short run. */
const images = (scale: number): Readonly<Record<string, readonly number[]>> => ({
  small: Array.from(
    { length: Math.round(1500 * Math.min(1, scale * 4)) },
    (_, at) => 2000 + ((at * 7919) % 60_000),
  ),
  large: [300 * mib, 100 * mib, 40 * mib, 9 * mib, mib, 70_000, 900, 3].map((size) =>
    Math.ceil(size * scale),
  ),
  mixed: [280 * mib, 120 * mib, 50 * mib, 20 * mib, 3 * mib, 500_000, 4000, 1].map((size) =>
    Math.ceil(size * scale),
  ),
})

export async function makeCorpus(directory: string, scale: number): Promise<Corpus> {
  const blobs = join(directory, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const manifests: Descriptor[] = []
  let sizeBytes = 0
  let count = 0
  const small = async (value: object, mediaType: string): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify(value))
    const digest = digestOf(bytes)
    await writeFile(join(blobs, digest.slice(7)), bytes)
    sizeBytes += bytes.length
    count++
    return { mediaType, digest, size: bytes.length }
  }
  for (const [name, sizes] of Object.entries(images(scale))) {
    const layers: Descriptor[] = []
    for (const [at, size] of sizes.entries()) {
      layers.push(await noise(blobs, `${name}-${at}`, size))
      sizeBytes += size
      count++
    }
    const diffIds = layers.map(({ digest }) => digest)
    const config = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: diffIds },
      config: {},
    }
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: await small(config, mediaTypes.ociConfig),
      layers,
    }
    const root = await small(manifest, mediaTypes.ociManifest)
    // The peers ask for a bare tag; the archive wants a whole name.
    for (const ref of [name, `${corpusRepository}:${name}`]) {
      manifests.push({ ...root, annotations: { 'org.opencontainers.image.ref.name': ref } })
    }
  }
  await writeFile(
    join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
  )
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return { directory, tags: Object.keys(images(scale)), sizeBytes, blobs: count }
}

/** One layer of `size` bytes: the key stream of a cipher, so that nothing compresses it. */
async function noise(directory: string, seed: string, size: number): Promise<Descriptor> {
  const cipher = createCipheriv('aes-128-ctr', digestOf(Buffer.from(seed)).slice(7, 23), Buffer.alloc(16))
  const zeros = Buffer.alloc(mib)
  const digester = new Digester()
  const temporary = join(directory, `.${seed}`)
  const file = await open(temporary, 'w')
  for (let left = size; left > 0; ) {
    const part = cipher.update(zeros.subarray(0, Math.min(left, mib)))
    digester.update(part)
    await file.write(part)
    left -= part.length
  }
  await file.close()
  const digest = digester.finish()
  await rename(temporary, join(directory, digest.slice(7)))
  const written = await stat(join(directory, digest.slice(7)))
  return { mediaType: mediaTypes.ociLayer, digest, size: written.size }
}
