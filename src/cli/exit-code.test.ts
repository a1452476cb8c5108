import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type CodeTable, SealiftError } from '#base/index.ts'
import { exitCodeFor, exitCodeOf, namedCodes } from './exit-code.ts'

/** The codes of all rooms, whichever there are. */
const files = globSync('src/**/codes.ts')
const all = await Promise.all(
  files.map(async (file) => {
    const { codes } = (await import(pathToFileURL(file).href)) as { codes: CodeTable }
    return Object.keys(codes)
  }),
).then((tables) => tables.flat())

test('every code with an exit code of its own is a code of some room', () => {
  assert.ok(files.length > 10 && all.includes('USAGE'), 'the tables are found')
  assert.deepEqual(
    namedCodes.filter((code) => !all.includes(code)),
    [],
  )
})

test('no two rooms have the same code', () => {
  assert.deepEqual(
    all.filter((code, at) => all.indexOf(code) !== at),
    [],
  )
})

test('a failure, an abort and a fault are told apart', () => {
  assert.equal(exitCodeFor('USAGE'), 2)
  assert.equal(exitCodeOf(new SealiftError('FILE_SYSTEM', '', { detail: { errno: 'ENOENT' } })), 3)
  assert.equal(exitCodeOf(new SealiftError('FILE_SYSTEM', '', { detail: { errno: 'EACCES' } })), 1)
  assert.equal(exitCodeOf(new SealiftError('REGISTRY_UNAUTHORIZED', '')), 4)
  assert.equal(exitCodeOf(new SealiftError('VERIFICATION_FAILED', '')), 5)
  assert.equal(exitCodeOf(new SealiftError('INTERRUPTED', '')), 130)
  assert.equal(exitCodeOf(new DOMException('', 'AbortError')), 130)
  assert.equal(exitCodeOf(new TypeError()), 1)
})
