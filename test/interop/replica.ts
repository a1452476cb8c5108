import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/** A process that appends, and what it was told of its entries. */
export class Replica {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #said = ''
  /** @param script beside this file; prints a line `INDEX TEXT` for each entry that was acknowledged */
  constructor(script: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#ended = once(this.#child, 'close')
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
  }
  get acknowledged(): [number, string][] {
    const lines = this.#said.split('\n').slice(0, -1)
    return lines.map((line) => [Number(line.slice(0, line.indexOf(' '))), line.slice(line.indexOf(' ') + 1)])
  }
  async reaches(count: number): Promise<void> {
    for (let waitedMs = 0; this.acknowledged.length < count; waitedMs += 5) {
      assert.ok(waitedMs < 60_000 && this.#child.exitCode === null, 'the replica appends')
      await setTimeout(5)
    }
  }
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#child.kill(signal)
    await this.#ended
    if (signal === 'SIGTERM') assert.equal(this.#child.exitCode, 0)
  }
}
