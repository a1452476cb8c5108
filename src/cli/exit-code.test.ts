import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codes as access } from '#access/index.ts'
import { codes as base, SealiftError } from '#base/index.ts'
import { codes as bundle } from '#bundle/index.ts'
import { codes as content } from '#content/index.ts'
import { codes as image } from '#image/index.ts'
import { codes as keys } from '#keys/index.ts'
import { codes as log } from '#log/index.ts'
import { codes as oci } from '#oci/index.ts'
import { codes as registry } from '#registry/index.ts'
import { codes as cli } from './codes.ts'
import { exitCodeFor, exitCodeOf, namedCodes } from './exit-code.ts'

test('every code with an exit code of its own is a code of some room', () => {
  const known = {
    ...base,
    ...oci,
    ...keys,
    ...log,
    ...access,
    ...content,
    ...registry,
    ...image,
    ...bundle,
    ...cli,
  }
  assert.deepEqual(
    namedCodes.filter((code) => !Object.hasOwn(known, code)),
    [],
  )
})

test('no two rooms have the same code', () => {
  const all = [base, oci, keys, log, access, content, registry, image, bundle, cli].flatMap((table) =>
    Object.keys(table),
  )
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
