import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { formatReference } from '#oci/index.ts'
import { parseLocation } from './locations.ts'

let cwd = ''
before(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-locations-'))
  mkdirSync(join(cwd, 'layout'))
  writeFileSync(join(cwd, 'layout', 'oci-layout'), '{}')
  mkdirSync(join(cwd, 'nginx'))
  writeFileSync(join(cwd, 'nginx', 'nginx.conf'), '')
  writeFileSync(join(cwd, 'packed'), gzipSync('x'))
  writeFileSync(join(cwd, 'thin'), '\n {"name": "x"}')
  writeFileSync(join(cwd, 'saved'), 'blobs/'.padEnd(512, '\0'))
})
after(() => rmSync(cwd, { recursive: true }))

const digest = `sha256:${'a'.repeat(64)}`

describe('locations', () => {
  test('schemes name the kind, a path and what is inside', async () => {
    const cases = [
      ['oci:dir', 'layout', 'dir', undefined],
      ['oci:dir:web', 'layout', 'dir', 'web'],
      ['oci:dir:localhost:5000/shop/web:1.0', 'layout', 'dir', 'localhost:5000/shop/web:1.0'],
      [`archive:app.tgz:${digest}`, 'archive', 'app.tgz', digest],
      ['oci-archive:a.tar:x', 'oci-archive', 'a.tar', 'x'],
      ['docker-archive:a.tar', 'docker-archive', 'a.tar', undefined],
    ] as const
    for (const [text, kind, path, inside] of cases) {
      const expected = { kind, text, path: join(cwd, path), ...(inside !== undefined && { inside }) }
      assert.deepEqual(await parseLocation(text, cwd), expected)
    }
  })

  test('what exists is looked into', async () => {
    for (const [text, kind] of [
      ['layout', 'layout'],
      ['packed', 'archive'],
      ['thin', 'bundle'],
      ['saved', 'file'],
    ] as const) {
      assert.deepEqual(await parseLocation(text, cwd), { kind, text, path: join(cwd, text) })
    }
  })

  test('what does not exist is a path by how it is written', async () => {
    for (const [text, kind] of [
      ['new.tgz', 'archive'],
      ['new.tar.gz', 'archive'],
      ['new.tar', 'oci-archive'],
      ['new.json', 'bundle'],
      ['./new', 'layout'],
      ['../new/', 'layout'],
    ] as const) {
      assert.equal((await parseLocation(text, cwd)).kind, kind, text)
    }
  })

  test('all else is a reference, also where a folder happens to have its name', async () => {
    for (const [text, whole] of [
      ['nginx', 'docker.io/library/nginx'],
      ['localhost:5000/web:1.0', 'localhost:5000/web:1.0'],
      [`registry.example/a/b@${digest}`, `registry.example/a/b@${digest}`],
    ] as const) {
      const location = await parseLocation(text, cwd)
      assert.ok(location.kind === 'registry', text)
      assert.equal(formatReference(location.reference), whole)
    }
  })

  test('what is neither is refused', async () => {
    for (const text of ['', 'oci:', 'oci::x', 'oci:dir:', 'UPPER CASE', './nginx', 'a\0b', '/dev/null']) {
      await assert.rejects(parseLocation(text, cwd), (error) => isFailure(error, 'LOCATION_INVALID'), text)
    }
  })

  test('any text is a location or LOCATION_INVALID', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 60 }), async (text) => {
        try {
          await parseLocation(`x${text}`, cwd)
        } catch (error) {
          assert.ok(isFailure(error, 'LOCATION_INVALID'), String(error))
        }
      }),
      { numRuns: 200 },
    )
  })
})
