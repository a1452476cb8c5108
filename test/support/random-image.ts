import { createHash } from 'node:crypto'
import type { Store } from '#content/index.ts'
import { bytesReader } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'

/** Bytes that look random and are the same for the same seed. */
export function seededBytes(seed: string, sizeBytes: number): Buffer {
  const out = Buffer.alloc(sizeBytes)
  for (let at = 0, n = 0; at < sizeBytes; n++) {
    const block = createHash('sha512').update(`${seed}/${n}`).digest()
    at += block.copy(out, at)
  }
  return out
}

/** Writes bytes as one content. */
export async function put(
  store: Pick<Store, 'write'>,
  bytes: Uint8Array,
  mediaType: string,
): Promise<Descriptor> {
  const content = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(content, async (offset) => bytesReader(bytes.subarray(offset)))
  return content
}

export const putJson = (store: Pick<Store, 'write'>, value: { mediaType: string }): Promise<Descriptor> =>
  put(store, Buffer.from(JSON.stringify(value)), value.mediaType)

/** An image with layers of these sizes, its content decided by the seed alone. */
export async function putImage(
  store: Pick<Store, 'write'>,
  seed: string,
  layerSizes: readonly number[],
  extra: object = {},
): Promise<Descriptor> {
  const config = await put(
    store,
    Buffer.from(
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] }, seed }),
    ),
    mediaTypes.ociConfig,
  )
  const layers: Descriptor[] = []
  for (const [at, size] of layerSizes.entries()) {
    layers.push(await put(store, seededBytes(`${seed}-${at}`, size), mediaTypes.ociLayer))
  }
  return putJson(store, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers,
    ...extra,
  } as never)
}

/** An index over images of two platforms. */
export async function putIndex(store: Pick<Store, 'write'>, seed: string): Promise<Descriptor> {
  const amd64 = await putImage(store, `${seed}-amd64`, [1000, 70_000])
  const arm64 = await putImage(store, `${seed}-arm64`, [2000])
  return putJson(store, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      { ...amd64, platform: { os: 'linux', architecture: 'amd64' } },
      { ...arm64, platform: { os: 'linux', architecture: 'arm64' } },
    ],
  } as never)
}
