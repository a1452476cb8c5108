// Runs one target in a thread of its own, so that the runner sees where it hangs.
import { parentPort, workerData } from 'node:worker_threads'
import { SealiftError } from '#base/index.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { mutate } from './mutate.ts'
import { targets } from './targets.ts'

const { name, seed, seconds, current } = workerData as {
  name: string
  seed: number
  seconds: number
  /** The input at work, for the runner: its length in the first four bytes, and how many came before in the next. */
  current: SharedArrayBuffer
}
const target = targets.find((one) => one.name === name)!
const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === 'string' ? Buffer.from(text) : text
const words = (target.words ?? []).map(bytesOf)
const inputs = target.corpus.map(bytesOf)
const random = seededRandom(seed)
const head = new Uint32Array(current, 0, 2)
const shown = new Uint8Array(current, 8)
// An input that gets an answer of a new kind is worth changing further: the cheapest stand-in for coverage.
const answers = new Set<string>()
const corpusSize = inputs.length
const maxInputs = 2000

const end = performance.now() + seconds * 1000
let runs = 0
for (; performance.now() < end || runs < corpusSize; runs++) {
  const input = runs < corpusSize ? inputs[runs]! : mutate(inputs, words, random)
  shown.set(input)
  Atomics.store(head, 0, input.length)
  Atomics.store(head, 1, runs)
  let answer: string
  try {
    answer = `ok ${String(await target.run(input))}`
  } catch (error) {
    if (!(error instanceof SealiftError)) {
      parentPort!.postMessage({
        find: error instanceof Error ? (error.stack ?? error.message) : String(error),
        input,
      })
      break
    }
    answer = `${error.code} ${error.message.replace(/[0-9]+|".*?"/g, '')}`
  }
  if (!answers.has(answer) && inputs.length < maxInputs) {
    answers.add(answer)
    inputs.push(Uint8Array.from(input))
  }
}
parentPort!.postMessage({ runs, answers: answers.size })
