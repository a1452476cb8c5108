import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadCorpus } from '../load-corpus.ts'
import { type Cost, cost, medianCost } from '../measure.ts'
import { find, startDistribution, versionOf } from '../peers.ts'
import type { Setting } from '../setting.ts'

/** From a registry on loopback into one file, or what each peer writes. */
export async function packGroup(setting: Setting): Promise<void> {
  const { folder, corpus, runs, sealift, report } = setting
  const distribution = find('distribution')
  report.group(
    'Packing',
    `${(corpus.sizeBytes / 1e6).toFixed(0)} MB in ${corpus.blobs} blobs (three images, one of 1,500 small layers in a full run) from ${distribution ? `distribution (${versionOf(distribution, '--version')})` : 'our own registry'} on loopback. The peers write an OCI layout; none of them syncs to the disk, Sealift does.`,
  )
  if (!distribution) {
    report.absent('distribution')
    return
  }
  const registry = await startDistribution(distribution, join(folder, 'distribution'))
  try {
    await loadCorpus(setting, registry.host)
    const refs = corpus.tags.map((tag) => `${registry.host}/bench/corpus:${tag}`)
    const out = join(folder, 'packed')
    const contenders: Record<string, string[][] | undefined> = {
      sealift: [[sealift, 'pack', ...refs, '-o', `${out}.tgz`]],
    }
    const skopeo = find('skopeo')
    if (skopeo) {
      contenders.skopeo = refs.map((ref, at) => [
        skopeo,
        'copy',
        '-q',
        '--src-tls-verify=false',
        `docker://${ref}`,
        `oci:${out}-skopeo:${at}`,
      ])
    }
    const oras = find('oras')
    if (oras)
      contenders.oras = refs.map((ref, at) => [
        oras,
        'copy',
        '--from-plain-http',
        ref,
        '--to-oci-layout',
        `${out}-oras:${at}`,
      ])
    const crane = find('crane')
    if (crane)
      contenders.crane = refs.map((ref) => [
        crane,
        'pull',
        '--insecure',
        '--format',
        'oci',
        ref,
        `${out}-crane`,
      ])
    const costs: Record<string, Cost[]> = {}
    // In turn, so that what drifts on the machine drifts for all.
    for (let run = 0; run <= runs; run++) {
      for (const [name, commands] of Object.entries(contenders)) {
        if (!commands) continue
        for (const suffix of ['.tgz', '-skopeo', '-oras', '-crane'])
          rmSync(out + suffix, { recursive: true, force: true })
        const used = await cost(commands)
        // The first round warms the page cache for all of them.
        if (run > 0 || runs === 1) costs[name] = [...(costs[name] ?? []), used]
        if (name === 'sealift' && !existsSync(`${out}.tgz`)) throw new Error('there is no archive')
      }
    }
    const { sealift: ours, ...peers } = Object.fromEntries(
      Object.entries(costs).map(([name, list]) => [name, medianCost(list)]),
    )
    report.compare('pack from a registry', ours as Cost, peers, { skopeo: 1.5, oras: 1 })
    report.figure('peak memory of pack', (ours as Cost).peakBytes / 2 ** 20, 'MiB', 128)
    await cost(contenders.sealift as string[][])
    report.figure(
      'size of the archive over that of the blobs',
      statSync(`${out}.tgz`).size / corpus.sizeBytes,
      'x',
    )
    for (const name of ['skopeo', 'oras', 'crane']) if (!contenders[name]) report.absent(name)
  } finally {
    await registry.stop()
    rmSync(join(folder, 'distribution'), { recursive: true, force: true })
  }
}
