import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { environmentSettings, fileSettings, loadSettings } from './settings.ts'

let home = ''
let cwd = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sealift-settings-'))
  cwd = join(home, 'project')
  mkdirSync(join(home, '.config', 'sealift'), { recursive: true })
  mkdirSync(cwd)
})
afterEach(() => rmSync(home, { recursive: true }))

const user = (text: string) => writeFileSync(join(home, '.config', 'sealift', 'config.yaml'), text)
const project = (text: string) => writeFileSync(join(cwd, 'sealift.yaml'), text)
const load = (env: Record<string, string> = {}) => loadSettings({ env: { HOME: home, ...env }, cwd })
const isInvalid = (error: unknown) => isFailure(error, 'SETTINGS_INVALID')

describe('settings', () => {
  test('without any there are none', async () => {
    assert.deepEqual(await load(), {})
  })

  test('environment over project over user', async () => {
    user('concurrency: 2\nformat: json\ndriver: namespaces\nplainHttp: ["registry.lab:5000"]\n')
    project('name: shop\nsettings:\n  concurrency: 3\n  format: text\n')
    assert.deepEqual(await load({ SEALIFT_CONCURRENCY: '4' }), {
      concurrency: 4,
      format: 'text',
      driver: 'namespaces',
      plainHttp: ['registry.lab:5000'],
    })
  })

  test('XDG_CONFIG_HOME says where the user file is', async () => {
    mkdirSync(join(home, 'elsewhere', 'sealift'), { recursive: true })
    writeFileSync(join(home, 'elsewhere', 'sealift', 'config.yaml'), 'concurrency: 9')
    assert.deepEqual(await load({ XDG_CONFIG_HOME: join(home, 'elsewhere') }), { concurrency: 9 })
  })

  test('files are read strictly', async () => {
    for (const text of [
      'colour: red',
      'concurrency: many',
      'concurrency: 0',
      'concurrency: 257',
      '- 1',
      'a: [',
    ]) {
      user(text)
      await assert.rejects(load(), isInvalid, text)
    }
  })

  test('a project sets nothing that weakens its user', async () => {
    for (const text of ['plainHttp: ["evil.example"]', 'stateDir: /tmp/x', 'unknown: 1']) {
      project(`settings:\n  ${text}\n`)
      await assert.rejects(load(), isInvalid, text)
    }
  })

  test('a project file that is not YAML is left to the command that builds it', async () => {
    project('name: [')
    assert.deepEqual(await load(), {})
  })

  test('variables are checked, and those of others are not ours', () => {
    assert.deepEqual(environmentSettings({ SEALIFT_PORT: 'tcp://10.0.0.1', SEALIFT_FORMAT: '' }), {})
    assert.deepEqual(environmentSettings({ SEALIFT_PLAIN_HTTP: 'a.lab:5000, b.lab' }), {
      plainHttp: ['a.lab:5000', 'b.lab'],
    })
    assert.equal(environmentSettings({ SEALIFT_CONCURRENCY: '256' }).concurrency, 256)
    for (const [name, value] of [
      ['SEALIFT_CONCURRENCY', '257'],
      ['SEALIFT_FORMAT', 'xml'],
      ['SEALIFT_DRIVER', 'docker'],
      ['SEALIFT_STATE_DIR', 'relative'],
      ['SEALIFT_PLAIN_HTTP', 'http://a.lab'],
    ] as const) {
      assert.throws(() => environmentSettings({ [name]: value }), isInvalid, name)
    }
  })

  test('whatever a file holds, it is settings or SETTINGS_INVALID', () => {
    fc.assert(
      fc.property(fc.anything(), fc.boolean(), (value, isProject) => {
        try {
          fileSettings(value, 'file', isProject)
        } catch (error) {
          assert.ok(isInvalid(error), String(error))
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('mirrors are read from a file and from the variable, and never from a project', () => {
  const mirrors = { 'docker.io': ['https://a.lab/x', 'http://b.lab'], 'quay.io': ['https://c.lab'] }
  assert.deepEqual(fileSettings({ mirrors }, 'file', false), { mirrors })
  const text = 'docker.io=https://a.lab/x, docker.io=http://b.lab,quay.io=https://c.lab'
  assert.deepEqual(environmentSettings({ SEALIFT_MIRRORS: text }), { mirrors })
  assert.throws(() => fileSettings({ mirrors }, 'file', true), { code: 'SETTINGS_INVALID' })
  for (const bad of [
    [],
    { 'a b': ['https://x'] },
    { 'a.lab': 'https://x' },
    { 'a.lab': ['file:///etc/passwd'] },
  ]) {
    assert.throws(() => fileSettings({ mirrors: bad }, 'file', false), { code: 'SETTINGS_INVALID' })
  }
  for (const bad of ['docker.io', '=https://x', 'docker.io=ftp://x']) {
    assert.throws(() => environmentSettings({ SEALIFT_MIRRORS: bad }), { code: 'SETTINGS_INVALID' })
  }
})
