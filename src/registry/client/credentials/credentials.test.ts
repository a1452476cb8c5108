import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { limits, nodeFileSystem } from '#base/index.ts'
import { lookupKeys, normalKey, parseAuthFile } from './auth-file.ts'
import { askHelper, parseHelperAnswer, type RunHelper, runHelper } from './helper.ts'
import { credentialFiles, systemCredentials } from './system-credentials.ts'

const pair = (username: string, password: string) => ({
  auth: Buffer.from(`${username}:${password}`).toString('base64'),
})
const noHelper: RunHelper = async () => assert.fail('no helper is configured')

async function withFiles(
  files: Record<string, unknown>,
  act: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-credentials-'))
  try {
    for (const [name, value] of Object.entries(files)) {
      await mkdir(join(folder, name, '..'), { recursive: true })
      await writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))
    }
    await act(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the longest name counts, in the first file that has one', () =>
  withFiles(
    {
      'run/containers/auth.json': {
        auths: { 'reg.example/team/app': pair('app', '1'), 'reg.example:5000': {} },
      },
      'config/containers/auth.json': {
        auths: { 'reg.example': pair('host', '2'), 'https://reg.example:5000/v2/': pair('port', '3:x') },
      },
      'docker/config.json': {
        auths: {
          'https://index.docker.io/v1/': pair('hub', '4'),
          'token.example': { identitytoken: 'it', auth: '' },
          'reg.example/team': pair('unreached', '5'),
        },
      },
    },
    async (folder) => {
      const env = {
        XDG_RUNTIME_DIR: join(folder, 'run'),
        XDG_CONFIG_HOME: join(folder, 'config'),
        DOCKER_CONFIG: join(folder, 'docker'),
      }
      const find = systemCredentials({ files: nodeFileSystem, env, run: noHelper, limits })
      assert.deepEqual(await find('reg.example', 'team/app/part'), { username: 'app', password: '1' })
      assert.deepEqual(await find('reg.example', 'team/application'), { username: 'host', password: '2' })
      assert.deepEqual(await find('reg.example:5000', 'x'), { username: 'port', password: '3:x' })
      assert.deepEqual(await find('docker.io', 'library/nginx'), { username: 'hub', password: '4' })
      assert.deepEqual(await find('token.example', 'x'), { identityToken: 'it' })
      assert.equal(await find('other.example', 'x'), undefined)
      // REGISTRY_AUTH_FILE stands alone.
      const alone = { ...env, REGISTRY_AUTH_FILE: join(folder, 'docker/config.json') }
      const only = systemCredentials({ files: nodeFileSystem, env: alone, run: noHelper, limits })
      assert.deepEqual(await only('reg.example', 'team/app'), { username: 'unreached', password: '5' })
    },
  ))

test('files are looked for where docker and podman keep them', () => {
  assert.deepEqual(credentialFiles({ HOME: '/home/a' }, 7), [
    '/run/containers/7/auth.json',
    '/home/a/.config/containers/auth.json',
    '/home/a/.docker/config.json',
  ])
  assert.deepEqual(credentialFiles({}, undefined), [])
})

test('helpers are asked by host or for all, and what they lack is looked up in the file', () =>
  withFiles(
    {
      'config.json': {
        credsStore: 'all',
        credHelpers: { 'one.example': 'one' },
        auths: { 'file.example': pair('file', '1') },
      },
    },
    async (folder) => {
      const asked: string[] = []
      const run: RunHelper = async (program, input) => {
        asked.push(`${program} ${input}`)
        if (input === 'none.example')
          return { exitCode: 1, stdout: Buffer.from('credentials not found in native keychain\n') }
        if (input === 'broken.example') return { exitCode: 2, stdout: Buffer.from('secret trouble') }
        if (input === 'odd.example')
          return { exitCode: 0, stdout: Buffer.from('{"Username":1,"Secret":"secret"}') }
        return {
          exitCode: 0,
          stdout: Buffer.from(
            JSON.stringify({ Username: input.includes('token') ? '<token>' : program, Secret: 's' }),
          ),
        }
      }
      const find = systemCredentials({ files: nodeFileSystem, env: { DOCKER_CONFIG: folder }, run, limits })
      assert.deepEqual(await find('one.example', 'a'), { username: 'docker-credential-one', password: 's' })
      assert.deepEqual(await find('docker.io', 'a'), { username: 'docker-credential-all', password: 's' })
      assert.deepEqual(await find('token.example', 'a'), { identityToken: 's' })
      assert.deepEqual(await find('file.example', 'a'), { username: 'file', password: '1' })
      assert.equal(await find('none.example', 'a'), undefined)
      assert.deepEqual(asked.slice(0, 2), [
        'docker-credential-one one.example',
        'docker-credential-all https://index.docker.io/v1/',
      ])
      for (const host of ['broken.example', 'odd.example']) {
        await assert.rejects(find(host, 'a'), (error: Error & { code: string }) => {
          assert.equal(error.code, 'CREDENTIAL_HELPER_FAILED')
          assert.doesNotMatch(JSON.stringify([error, error.message]), /secret/)
          return true
        })
      }
    },
  ))

test('a real helper gets the server on its standard input, and is bounded in time and words', () =>
  withFiles(
    {
      'docker-credential-good':
        '#!/bin/sh\nread server\necho "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$server\\"}"\n',
      'docker-credential-loud': '#!/bin/sh\nwhile :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n',
      'docker-credential-slow': '#!/bin/sh\nexec sleep 60\n',
    },
    async (folder) => {
      for (const name of ['good', 'loud', 'slow'])
        await chmod(join(folder, `docker-credential-${name}`), 0o755)
      const run: RunHelper = (program, input, bounds) => runHelper(join(folder, program), input, bounds)
      const ask = (name: string, timeoutMs = 30_000) =>
        askHelper({ name, server: 'reg.example', run, timeoutMs, maxBytes: 1000 })
      assert.deepEqual(await ask('good'), { username: 'get', password: 'reg.example' })
      await assert.rejects(ask('loud'), { code: 'CREDENTIAL_HELPER_FAILED' })
      await assert.rejects(ask('slow', 50), { code: 'CREDENTIAL_HELPER_FAILED' })
      await assert.rejects(ask('absent'), { code: 'CREDENTIAL_HELPER_FAILED' })
      for (const name of ['../good', 'a b', '', 'A', 'x'.repeat(65)]) {
        await assert.rejects(ask(name), { code: 'CREDENTIAL_HELPER_FAILED' }, name)
      }
    },
  ))

test('a damaged file is a failure that names the file and nothing in it', () => {
  const secret = pair('anna', 'secret').auth
  for (const text of [
    '',
    '[]',
    '{',
    '{"auths":[]}',
    '{"auths":{"a":1}}',
    `{"auths":{"a":{"auth":"${secret}!"}}}`,
    '{"auths":{"a":{"auth":"YWJj"}}}',
    '{"credHelpers":1}',
  ]) {
    assert.throws(
      () => parseAuthFile(Buffer.from(text), '/path/config.json'),
      (error: Error & { code: string }) =>
        error.code === 'CREDENTIALS_INVALID' &&
        error.message.includes('/path/config.json') &&
        !error.message.includes(secret),
      text,
    )
  }
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        parseAuthFile(
          Buffer.from(JSON.stringify({ auths: value, credHelpers: value, credsStore: value })),
          'x',
        )
      } catch (error) {
        assert.equal((error as { code: string }).code, 'CREDENTIALS_INVALID')
      }
    }),
  )
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseHelperAnswer(bytes)))
})

test('what was encoded is decoded, whatever the password holds', () => {
  const username = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes(':'))
  fc.assert(
    fc.property(
      username,
      fc.string({ unit: 'grapheme' }).filter((text) => !text.endsWith('\0')),
      (name, password) => {
        const bytes = Buffer.from(JSON.stringify({ auths: { host: pair(name, password) } }))
        assert.deepEqual(parseAuthFile(bytes, 'x').auths.get('host'), { username: name, password })
      },
    ),
  )
  assert.equal(normalKey('https://index.docker.io/v1/'), 'docker.io')
  assert.equal(normalKey('http://reg.example:5000/v2/'), 'reg.example:5000')
  assert.equal(normalKey('reg.example/team/'), 'reg.example/team')
  assert.deepEqual(lookupKeys('reg.example', 'a/b'), ['reg.example/a/b', 'reg.example/a', 'reg.example'])
})
