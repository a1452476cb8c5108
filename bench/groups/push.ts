import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { corpusRepository } from '../corpus.ts'
import { type Cost, cost, medianCost } from '../measure.ts'
import { find, startDistribution } from '../peers.ts'
import type { Setting } from '../setting.ts'

/** From what was carried into a registry; each run into an empty one. */
export async function pushGroup({ folder, corpus, runs, sealift, report }: Setting): Promise<void> {
  report.group(
    'Archive to registry',
    'The same corpus into an empty distribution 3 on loopback; the peers read an OCI layout.',
  )
  const distribution = find('distribution')
  if (!distribution) {
    report.absent('distribution')
    return
  }
  const archive = join(folder, 'corpus.tgz')
  await cost([
    [
      sealift,
      'pack',
      ...corpus.tags.map((tag) => `oci:${corpus.directory}:${corpusRepository}:${tag}`),
      '-o',
      archive,
    ],
  ])
  const oras = find('oras')
  const skopeo = find('skopeo')
  const contenders: Record<string, (host: string) => string[][]> = {
    sealift: (host) => [[sealift, 'copy', archive, `${host}/bench/corpus`]],
    ...(oras && {
      oras: (host) =>
        corpus.tags.map((tag) => [
          oras,
          'copy',
          '--to-plain-http',
          '--from-oci-layout',
          `${corpus.directory}:${tag}`,
          `${host}/bench/corpus:${tag}`,
        ]),
    }),
    // skopeo takes minutes over the small layers: it is measured once, in the full run only.
    ...(skopeo &&
      runs > 1 && {
        skopeo: (host) =>
          corpus.tags.map((tag) => [
            skopeo,
            'copy',
            '-q',
            '--dest-tls-verify=false',
            `oci:${corpus.directory}:${tag}`,
            `docker://${host}/bench/corpus:${tag}`,
          ]),
      }),
  }
  const costs: Record<string, Cost[]> = {}
  let presentMs = 0
  for (let run = 0; run < runs; run++) {
    for (const [name, commands] of Object.entries(contenders)) {
      if (name === 'skopeo' && run > 0) continue
      const data = join(folder, `push-${name}`)
      const registry = await startDistribution(distribution, data)
      try {
        costs[name] = [...(costs[name] ?? []), await cost(commands(registry.host))]
        if (name === 'sealift') presentMs = (await cost(commands(registry.host))).wallMs
      } finally {
        await registry.stop()
        rmSync(data, { recursive: true, force: true })
      }
    }
  }
  const { sealift: ours, ...peers } = Object.fromEntries(
    Object.entries(costs).map(([name, list]) => [name, medianCost(list)]),
  )
  report.compare('archive to registry', ours as Cost, peers, { oras: 1 })
  // The goal is told for 1,000.
  const perThousandMs = (presentMs * 1000) / corpus.blobs
  report.figure('nothing to copy: 1,000 present blobs are recognised', perThousandMs, 'ms', 1000)
  if (!oras) report.absent('oras')
}
