import { type Descriptor, fetchManifest, pushLegacySignature, pushReferrer } from './artifacts.ts'
import { imageLayout } from './images.ts'
import type { Workbench } from './workbench.ts'

/** Real content in a Sealift registry, an archive that was packed from it, and that archive served in place. */
export interface Crossing {
  /** HOST:PORT of `sealift registry serve`. */
  readonly registry: string
  /** HOST:PORT of `sealift serve` on the archive. */
  readonly served: string
  readonly archive: string
  /** An index of two platforms under `shop/nginx:1`, as skopeo computed it before Sealift saw it. */
  readonly index: Descriptor
  /** This machine's child of the index; under `shop/nginx:single` in both places. */
  readonly image: Descriptor
  /** About `index`: an artifact with a subject, and cosign's tag of old. */
  readonly referrer: Descriptor
  readonly legacySignature: Descriptor
  /** The layout that buildah wrote. */
  readonly layout: string
}

/** Skopeo pushes what buildah made; Sealift packs and serves it. Digests are those of the bytes that skopeo reads. */
export async function cross(bench: Workbench): Promise<Crossing> {
  const layout = await imageLayout(bench.folder)
  const registry = await bench.serve(['registry', 'serve', bench.path('registry')])
  const name = `${registry}/shop/nginx`
  await bench.run('skopeo', [
    ...['copy', '-q', '--all', '--dest-tls-verify=false'],
    ...[`oci:${layout}:nginx`, `docker://${name}:1`],
  ])
  await bench.run('skopeo', [
    ...['copy', '-q', '--dest-tls-verify=false'],
    ...[`oci:${layout}:nginx`, `docker://${name}:single`],
  ])
  const raw = await bench.run('skopeo', ['inspect', '--raw', `oci:${layout}:nginx`])
  const { descriptor: index, bytes } = await fetchManifest(name, '1')
  if (raw.stdout !== bytes.toString()) throw new Error('the registry serves another index than skopeo pushed')
  const { descriptor: image } = await fetchManifest(name, 'single')
  const referrer = await pushReferrer(name, index, 'application/vnd.example.sbom.v1+json', 'what is inside')
  const legacySignature = await pushLegacySignature(name, index, 'signed, as it was done before OCI 1.1')
  const archive = bench.path('app.tgz')
  await bench.sealift(['pack', `${name}:1`, `${name}:single`, '-o', archive])
  const served = await bench.serve(['serve', archive])
  return { registry, served, archive, index, image, referrer, legacySignature, layout }
}
