import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { median } from '../measure.ts'
import { find, startDistribution } from '../peers.ts'
import { allScenarios, type LoadResult, measure, type Scenario } from '../registry-load.ts'
import type { Setting } from '../setting.ts'

const titles: Readonly<Record<Scenario, string>> = {
  manifest: 'GET of a manifest by tag',
  head: 'HEAD of a blob',
  small: 'GET of blobs of 20 kB',
  pull: 'GET of blobs of 16 MiB',
  push: 'push of blobs of 4 MiB',
}

/** Our registry server beside distribution 3: work done per second of the server's processor time. */
export async function registryGroup({ folder, runs, sealift, report }: Setting): Promise<void> {
  const distribution = find('distribution')
  report.group(
    'Registry server',
    '64 clients at once; requests (or MiB) per second of processor time of the server, from the kernel. Both on files. Sealift syncs what is pushed to the disk.',
  )
  if (!distribution) {
    report.absent('distribution')
    return
  }
  const scale = runs === 1 ? 0.1 : 1
  const ours: Partial<Record<Scenario, number[]>> = {}
  const theirs: Partial<Record<Scenario, number[]>> = {}
  for (let run = 0; run < Math.min(runs, 3); run++) {
    const own = await startOwn(sealift, join(folder, 'own-registry'))
    collect(ours, await measure({ name: 'sealift', ...own }, { scale }))
    await own.stop()
    const peer = await startDistribution(distribution, join(folder, 'peer-registry'))
    collect(theirs, await measure({ name: 'distribution', ...peer }, { scale }))
    await peer.stop()
    for (const name of ['own-registry', 'peer-registry'])
      rmSync(join(folder, name), { recursive: true, force: true })
  }
  for (const scenario of allScenarios) {
    const unit = scenario === 'pull' || scenario === 'push' ? 'MiB per CPU s' : 'requests per CPU s'
    // HEAD has no goal of its own; the others must not fall behind.
    const least = scenario === 'head' ? undefined : 1
    report.rate(
      titles[scenario],
      median(ours[scenario] ?? []),
      'distribution',
      median(theirs[scenario] ?? []),
      unit,
      least,
    )
  }
}

function collect(
  into: Partial<Record<Scenario, number[]>>,
  results: Partial<Record<Scenario, LoadResult>>,
): void {
  for (const [name, { requests, bytes, cpuMs }] of Object.entries(results) as [Scenario, LoadResult][]) {
    const done = name === 'pull' || name === 'push' ? bytes / 2 ** 20 : requests
    into[name] = [...(into[name] ?? []), (done / Math.max(cpuMs, 10)) * 1000]
  }
}

async function startOwn(
  sealift: string,
  data: string,
): Promise<{ host: string; pid: number; stop: () => Promise<void> }> {
  const child = spawn(sealift, ['registry', 'serve', data, '--listen', '127.0.0.1:0', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const line = await new Promise<string>((resolve) =>
    createInterface({ input: child.stdout }).once('line', resolve),
  )
  const { registry } = JSON.parse(line) as { registry: string }
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return {
    host: registry,
    pid: child.pid as number,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
