import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ArchiveWriter, copy, MemoryStore } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { median, Watch } from '../measure.ts'
import { noiseSource, putManifest } from '../noise.ts'
import type { Setting } from '../setting.ts'

/** From starting the process on an archive to the bytes of a blob. */
export async function serveGroup(setting: Setting): Promise<void> {
  const { folder, runs, sealift, report, corpus } = setting
  const short = runs === 1
  const count = short ? 1000 : 10_000
  const bigBytes = (short ? 50 : 500) * 2 ** 20
  report.group(
    'Serving an archive',
    `An archive of ${count} blobs and one with a blob of ${bigBytes / 2 ** 20} MiB; times from starting the process.`,
  )
  mkdirSync(join(folder, 'serve'), { recursive: true })
  const many = join(folder, 'serve', 'many.tgz')
  const big = join(folder, 'serve', 'big.tgz')
  const sizes = Array.from({ length: count - 3 }, (_, at) =>
    at === count - 4 ? 2 ** 20 : Math.floor((corpus.sizeBytes / count) * (0.5 + (at % 100) / 100)),
  )
  const manyRoot = await archive(many, sizes)
  const bigRoot = await archive(big, [bigBytes])
  const whole: number[] = []
  const first: number[] = []
  let peak = 0
  for (let run = 0; run < runs; run++) {
    whole.push(
      (await served(sealift, many, (url) => fetchBlob(url, manyRoot.layers.at(-1) as Descriptor, 'whole')))
        .ms,
    )
    first.push(
      (await served(sealift, big, (url) => fetchBlob(url, bigRoot.layers[0] as Descriptor, 'first byte'))).ms,
    )
  }
  const eight = await served(sealift, big, async (url) => {
    await Promise.all(
      Array.from({ length: 8 }, () => fetchBlob(url, bigRoot.layers[0] as Descriptor, 'whole')),
    )
  })
  peak = eight.peakBytes
  report.figure(`to a verified 1 MiB blob, the last of ${count}`, median(whole), 'ms', 500)
  report.figure(`to the first byte of a blob of ${bigBytes / 2 ** 20} MiB`, median(first), 'ms', 300)
  report.figure('peak memory while 8 clients pull', peak / 2 ** 20, 'MiB', 128)
}

async function archive(path: string, sizes: readonly number[]): Promise<{ layers: Descriptor[] }> {
  const store = new MemoryStore()
  const { source, layers } = noiseSource(store, sizes)
  const root = await putManifest(store, layers)
  await using writer = new ArchiveWriter(path)
  await copy(root, source, writer.repository('bench.example/app'), { tags: ['1'], referrers: false })
  return { layers }
}

async function served(
  sealift: string,
  path: string,
  act: (url: string) => Promise<void>,
): Promise<{ ms: number; peakBytes: number }> {
  const begun = performance.now()
  const child = spawn(sealift, ['serve', path, '--listen', '127.0.0.1:0', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const watch = new Watch(child.pid as number)
  try {
    const line = await new Promise<string>((resolve) =>
      createInterface({ input: child.stdout }).once('line', resolve),
    )
    await act(`http://${(JSON.parse(line) as { registry: string }).registry}`)
    return { ms: performance.now() - begun, peakBytes: watch.end().peakBytes }
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
}

async function fetchBlob(url: string, { digest }: Descriptor, until: 'whole' | 'first byte'): Promise<void> {
  const reply = await fetch(`${url}/v2/app/blobs/${digest}`)
  if (!reply.ok || !reply.body) throw new Error(`${reply.status} for ${digest}`)
  const hash = createHash('sha256')
  for await (const part of reply.body) {
    if (until === 'first byte') return
    hash.update(part)
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error('the blob is not what it should be')
}
