// One run of pack, copy or push, in a process of its own that the test kills:
//   kill-worker.ts pack|copy|push SOURCE-LAYOUT TARGET READ-LOG BYTES-PER-SECOND
import { closeSync, openSync, writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import {
  ArchiveWriter,
  type ByteReader,
  copy,
  LayoutTarget,
  openDataDirectory,
  openLayout,
  type Source,
  type Target,
} from '#content/index.ts'

const [action, sourcePath, targetPath, logPath, pace] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const bytesPerSecond = Number(pace)
// A line per read, written before the bytes are handed on: whatever moment the kill comes, nothing is left out.
const log = openSync(logPath, 'a')
const beganMs = performance.now()
let readBytes = 0

function metered(reader: ByteReader): ByteReader {
  return {
    async read(into) {
      const count = await reader.read(into.subarray(0, 256 * 1024))
      readBytes += count
      writeSync(log, `${count}\n`)
      const aheadMs = (readBytes / bytesPerSecond) * 1000 - (performance.now() - beganMs)
      if (aheadMs > 1) await setTimeout(aheadMs)
      return count
    },
    close: () => reader.close(),
  }
}

const { source: inner, roots } = await openLayout(sourcePath)
const source: Source = {
  resolve: (reference) => inner.resolve(reference),
  open: async (content, range, options) => metered(await inner.open(content, range, options)),
}
const [root] = await roots()
if (!root) throw new Error('the source has no root')

async function bring(target: Target): Promise<void> {
  await copy(root!.descriptor, source, target, { tags: ['1.0'], concurrency: 3 })
}

if (action === 'pack') {
  await using writer = new ArchiveWriter(targetPath)
  await bring(writer.repository('a.example/app'))
} else if (action === 'copy') await bring(new LayoutTarget(targetPath))
else if (action === 'push') await bring(await (await openDataDirectory(targetPath)).create('lib/app'))
else throw new Error(`unknown action ${action}`)
closeSync(log)
