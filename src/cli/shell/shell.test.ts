import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SealiftError } from '#base/index.ts'
import type { Context } from '../context.ts'
import { explain } from './errors.ts'
import { bytes, legible, oneLine, print, seconds, table } from './print.ts'
import { showProgress } from './progress.ts'

function context(terminal: { isTTY?: boolean; columns?: number } = {}, env: Context['env'] = {}) {
  const out: string[] = []
  const err: string[] = []
  const value: Context = {
    process: {
      stdout: { write: (text) => out.push(String(text)), ...terminal },
      stderr: { write: (text) => err.push(String(text)), ...terminal },
    },
    env,
    cwd: '/',
    signal: new AbortController().signal,
  }
  return { value, out, err }
}

describe('print', () => {
  test('data goes to stdout, as text or as JSON', () => {
    const { value, out, err } = context()
    print(value, 'text', { a: 1 }, () => 'one')
    print(value, 'json', { a: 1 }, () => 'one')
    print(value, 'text', [], () => '')
    assert.deepEqual(out, ['one\n', '{\n  "a": 1\n}\n'])
    assert.deepEqual(err, [])
  })

  test('tables align, sizes and durations are for people', () => {
    assert.equal(table(['A', 'B'], [['long', 'x']]), 'A     B\nlong  x')
    assert.deepEqual([0, 1023, 1024, 15 * 1024, 3 * 1024 ** 4].map(bytes), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '15 KiB',
      '3.0 TiB',
    ])
    assert.equal(seconds(1234), '1.23 s')
  })

  test('nothing from outside moves the cursor, or makes a second line', () => {
    assert.equal(legible('a\x1b[2Jb\x07\u202ec\n'), 'a\\u001b[2Jb\\u0007\\u202ec\n')
    assert.equal(legible('\x1b[31mred\x1b[39m'), '\x1b[31mred\x1b[39m')
    assert.equal(oneLine('name\n\x1b[31mverified'), 'name \\u001b[31mverified')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        assert.doesNotMatch(oneLine(text), /[\x00-\x08\x0a-\x1f\x7f-\x9f]/)
      }),
    )
  })
})

describe('errors', () => {
  const cause = new Error('the disk is on fire')
  const error = new SealiftError('FILE_SYSTEM', 'x cannot be read', { cause, hint: 'Use water.' })

  test('say what, why, what next, and the code', () => {
    assert.equal(
      explain(context().value, error),
      'error: x cannot be read [FILE_SYSTEM]\n  because: the disk is on fire\n  next: Use water.',
    )
  })

  test('have colours on a terminal, but not with NO_COLOR', () => {
    assert.ok(explain(context({ isTTY: true }).value, error).startsWith('\x1b[31merror:'))
    assert.ok(!explain(context({ isTTY: true }, { NO_COLOR: '1' }).value, error).includes('\x1b'))
  })

  test('that are not ours ask to be reported', () => {
    assert.match(explain(context().value, new TypeError('x is not a function')), /fault in Sealift/)
  })
})

describe('progress', () => {
  const total = (sizeBytes: number) => ({ type: 'total', sizeBytes, items: 1 }) as const
  const advance = (sizeBytes: number) => ({ type: 'advance', sizeBytes }) as const

  test('is silent where the work takes less than a second', () => {
    const { value, err } = context()
    let now = 0
    const progress = showProgress(value, () => now)
    progress.onProgress(total(100))
    now = 999
    progress.onProgress(advance(100))
    progress.end()
    assert.deepEqual(err, [])
  })

  test('is plain lines, now and then, where there is no terminal', () => {
    const { value, err } = context()
    let now = 0
    const progress = showProgress(value, () => now)
    progress.onProgress({ type: 'phase', name: 'copying' })
    progress.onProgress(total(10 * 1024))
    for (; now < 20_000; now += 100) progress.onProgress(advance(51))
    progress.end()
    assert.equal(err.length, 4)
    for (const line of err) assert.match(line, /^copying: \d+ % .* of 10 KiB, .*\n$/)
  })

  test('never goes backwards on a terminal, and takes its line away', () => {
    const { value, err } = context({ isTTY: true, columns: 80 })
    let now = 0
    const progress = showProgress(value, () => now)
    const sizes = fc.sample(fc.nat(1000), { numRuns: 200, seed: 7 })
    progress.onProgress({ type: 'phase', name: 'copying' })
    progress.onProgress(total(sizes.reduce((sum, size) => sum + size, 0)))
    for (const size of sizes) {
      now += 50
      progress.onProgress(advance(size))
    }
    progress.end()
    assert.equal(err.at(-1), '\r\x1b[2K')
    const shares = err.slice(0, -1).map((line) => Number(/(\d+) %/.exec(line)?.[1]))
    assert.ok(shares.length > 10)
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => a - b),
    )
  })
})
