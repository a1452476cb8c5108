import { MemoryStore, readVerified } from '#content/index.ts'
import { type Descriptor, digestHex } from '#oci/index.ts'
import { putImage } from './random-image.ts'
import type { Member } from './tar-file.ts'

/** A small image as the members of a layout. */
export async function layoutMembers(annotations: object = {}, prefix = '') {
  const store = new MemoryStore()
  const image = await putImage(store, 'members', [1000])
  const layout: Member[] = [
    { name: `${prefix}oci-layout`, bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    {
      name: `${prefix}index.json`,
      bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ ...image, annotations }] })),
    },
  ]
  const manifest = JSON.parse(Buffer.from(await readVerified(store, image, image.size)).toString())
  for (const content of [image, manifest.config, ...manifest.layers] as Descriptor[]) {
    const bytes = await readVerified(store, content, content.size)
    layout.push({ name: `${prefix}blobs/sha256/${digestHex(content.digest)}`, bytes })
  }
  return { layout, image }
}
