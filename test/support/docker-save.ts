import { gzipSync } from 'node:zlib'
import { digestHex, digestOf } from '#oci/index.ts'
import { seededBytes } from './random-image.ts'
import { type Member, tarFile } from './tar-file.ts'

/** A docker-archive as Docker before 25 wrote it: a folder for each layer, a link where two are the same. */
export function dockerSave(
  options: { change?: (manifest: object[]) => unknown; members?: Member[]; gzip?: boolean } = {},
) {
  const layers = [tarFile([{ name: 'one' }]), tarFile([{ name: 'two', bytes: seededBytes('two', 5000) }])]
  const diffIds = [...layers.map((layer) => digestOf(layer)), digestOf(layers[0]!)]
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } }),
  )
  const Config = `${digestHex(digestOf(config))}.json`
  const entry = {
    Config,
    RepoTags: ['app:1.0', 'a.example/app:2'],
    Layers: ['a/layer.tar', 'b/layer.tar', 'c/layer.tar'],
  }
  const manifest = options.change?.([entry]) ?? [entry]
  const stored = (bytes: Buffer) => (options.gzip ? gzipSync(bytes) : bytes)
  const bytes = tarFile([
    { name: Config, bytes: config },
    { name: 'a/', type: '5' },
    { name: 'a/VERSION', bytes: Buffer.from('1.0') },
    { name: 'a/layer.tar', bytes: stored(layers[0]!) },
    { name: 'b/layer.tar', bytes: stored(layers[1]!) },
    { name: 'c/layer.tar', type: '2', link: '../a/layer.tar' },
    ...(options.members ?? []),
    { name: 'manifest.json', bytes: Buffer.from(JSON.stringify(manifest)) },
  ])
  return { bytes, diffIds, config, layers }
}
