// `npm run fuzz`: changed inputs into every parser of what comes from outside, until something else comes out than an
// answer or a SealiftError, or one input takes longer than a second.
//   npm run fuzz -- [TARGET...] [--seconds N] [--seed N]
// TARGET is a part of a target's name; 10 seconds each where it is not said. A find is kept as a file and named.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { targets } from './targets.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' } },
})
const seconds = Number(values.seconds)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const wanted = targets.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
)
if (!(seconds >= 0) || !Number.isSafeInteger(seed) || wanted.length === 0) {
  console.error(`fuzz: the targets are ${targets.map(({ name }) => name).join(', ')}; --seconds N, --seed N`)
  process.exit(2)
}
console.log(`fuzz: seed ${seed}`)
let folder: string | undefined
for (const { name } of wanted) {
  const found = await fuzz(name)
  if (!found) continue
  folder ??= mkdtempSync(join(tmpdir(), 'sealift-fuzz-'))
  const path = join(folder, name)
  writeFileSync(path, found.input)
  console.log(`${name}: FOUND, the input is in ${path}\n${found.why}`)
  process.exitCode = 1
}

/** What was found, if anything. */
async function fuzz(name: string): Promise<{ input: Uint8Array; why: string } | undefined> {
  const current = new SharedArrayBuffer(8 + 64 * 1024)
  const head = new Uint32Array(current, 0, 2)
  const workerData = { name, seed, seconds, current }
  const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData })
  let before = -1
  return new Promise((resolve, reject) => {
    const watch = setInterval(() => {
      const runs = Atomics.load(head, 1)
      if (runs === before && runs > 0) {
        const input = Uint8Array.from(new Uint8Array(current, 8, Atomics.load(head, 0)))
        resolve({ input, why: 'it takes longer than a second' })
        void worker.terminate()
      }
      before = runs
    }, 1000)
    worker.on('message', (told: { find?: string; input?: Uint8Array; runs?: number; answers?: number }) => {
      if (told.find !== undefined) resolve({ input: told.input!, why: told.find })
      else console.log(`${name}: ${told.runs} inputs, ${told.answers} kinds of answers`)
    })
    worker.once('error', reject)
    worker.once('exit', () => {
      clearInterval(watch)
      resolve(undefined)
    })
  })
}
