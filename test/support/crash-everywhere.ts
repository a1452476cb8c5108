import assert from 'node:assert/strict'
import { isFailure } from '#base/index.ts'
import { PowerCutFileSystem } from './power-cut-file-system.ts'
import { seededRandom } from './seeded-random.ts'

/** Something that is done to a disk, over and over until it is complete. */
export interface Undertaking {
  /** What is on the disk before; all of it durable when it resolves. */
  before?(fs: PowerCutFileSystem): Promise<void>
  /** Once it resolves, what it did is acknowledged. `boot` differs after each power cut. */
  run(fs: PowerCutFileSystem, boot: string): Promise<void>
  /** Judges what a reader finds; `isDone` where a run was acknowledged before. */
  check(fs: PowerCutFileSystem, isDone: boolean): Promise<void>
}

export interface CrashOptions {
  readonly seed: number
  /** Crash points that are tried: all, or so many at random. */
  readonly points?: number
}

/**
 * Runs the undertaking with a crash at every operation. Each crash is a power cut or a kill, some second runs crash
 * as well, and the run that comes through is followed by a power cut: what it acknowledged must still be there.
 */
export async function crashEverywhere(
  undertaking: Undertaking,
  options: CrashOptions,
): Promise<{ points: number }> {
  const random = seededRandom(options.seed)
  const whole = await prepared(undertaking, 1)
  await undertaking.run(whole, 'dry run')
  const all = Array.from({ length: whole.operations }, (_, at) => at + 1)
  assert.ok(all.length > 3, 'there is something to interrupt')
  const points =
    options.points === undefined ? all : all.filter(() => random() < options.points! / all.length)
  for (const crashAt of points) {
    for (const firstIsCut of [true, false]) {
      for (const crashesAgain of [true, false]) {
        const seed = Math.floor(random() * 2 ** 32)
        const story = [`${firstIsCut ? 'cut' : 'kill'} at ${crashAt} of ${all.length}, seed ${seed}`]
        try {
          await live(undertaking, seed, crashAt, firstIsCut, crashesAgain ? whole.operations : 0, story)
        } catch (error) {
          throw new Error(story.join('; then '), { cause: error })
        }
      }
    }
  }
  return { points: points.length }
}

async function live(
  undertaking: Undertaking,
  seed: number,
  crashAt: number,
  firstIsCut: boolean,
  operations: number,
  story: string[],
): Promise<void> {
  const random = seededRandom(seed)
  let boot = 0
  let isDone = false
  let fs = await prepared(undertaking, seed, crashAt)
  const crash = async (isCut: boolean, next?: number): Promise<void> => {
    try {
      await undertaking.run(fs, `boot ${boot}`)
      isDone = true
    } catch (error) {
      if (!fs.hasCrashed) throw error
    }
    if (isCut) boot++
    const options = next === undefined ? {} : { crashAt: next }
    fs = isCut ? fs.cut(options) : fs.kill(options)
  }
  const second = operations > 0 ? 1 + Math.floor(random() * operations) : undefined
  await crash(firstIsCut, second)
  if (second !== undefined) {
    // Nobody looks in between: a look would be an operation of its own only where it writes, and none does.
    const isCut = random() < 0.5
    story.push(`${isCut ? 'cut' : 'kill'} at ${second}`)
    await crash(isCut)
  }
  story.push('a look')
  await undertaking.check(fs, isDone)
  story.push('a rerun')
  await undertaking.run(fs, `boot ${boot}`)
  story.push('a look at it')
  await undertaking.check(fs, true)
  story.push('a cut, and a last look')
  await undertaking.check(fs.cut(), true)
}

/** A disk that fills up in the middle, and then has room: the rerun completes. */
export async function fillEverywhere(
  undertaking: Undertaking,
  writtenBytes: readonly number[],
): Promise<void> {
  for (const fullAfterBytes of writtenBytes) {
    const fs = await prepared(undertaking, fullAfterBytes)
    const full = fs.kill({ fullAfterBytes })
    await assert.rejects(
      undertaking.run(full, 'boot'),
      (error: unknown) => isFailure(error, 'DISK_FULL'),
      `full after ${fullAfterBytes} bytes`,
    )
    const roomy = full.kill()
    await undertaking.check(roomy, false)
    await undertaking.run(roomy, 'boot')
    await undertaking.check(roomy.cut(), true)
  }
}

async function prepared(
  undertaking: Undertaking,
  seed: number,
  crashAt?: number,
): Promise<PowerCutFileSystem> {
  const fs = new PowerCutFileSystem({ seed })
  await undertaking.before?.(fs)
  return fs.kill({ seed, ...(crashAt !== undefined && { crashAt }) })
}
