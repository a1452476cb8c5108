// What only a process of its own shows: its start, signals, exit codes, and two of them at once.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { firstLine, runHere, runProcess, start } from './cli.suite.ts'

let cwd = ''
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-process-'))
  writeFileSync(join(cwd, 'hello.txt'), 'hello')
  const built = await runHere(['image', 'build', 'oci:web:1.0', '--file', 'hello.txt:/hello.txt'], { cwd })
  assert.equal(built.exitCode, 0, built.stderr)
  const copied = await runHere(['copy', 'oci:web', 'archive:web.tgz:localhost/shop/web:1.0'], { cwd })
  assert.equal(copied.exitCode, 0, copied.stderr)
  // User "ship", password "correct horse".
  writeFileSync(join(cwd, 'users'), 'ship:$2b$04$cYE3.gR3dUJ0Yyu.gDnL3umuUT7BzHhRdyLLul5eoPjphd4i6RJiC\n')
})
after(() => rmSync(cwd, { recursive: true }))

/** Starts a server, and stops it at the end of the test with SIGTERM, which must be a good end. */
async function serving(args: readonly string[], act: (registry: string, url: string) => Promise<void>) {
  const child = start([...args, '--listen', '127.0.0.1:0', '-o', 'json'], { cwd })
  const ended = once(child, 'close')
  try {
    const { registry, url } = JSON.parse(await firstLine(child.stdout))
    await act(registry, url)
  } finally {
    child.kill('SIGTERM')
  }
  assert.deepEqual(await ended, [0, null])
}

describe('bin/sealift', () => {
  test('says its version, the same as the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    const ran = await runProcess(['--version'], { cwd })
    assert.deepEqual(ran, { exitCode: 0, stdout: `sealift ${version}\n`, stderr: '' })
  })

  test('shows help on stdout where nothing is asked', async () => {
    const ran = await runProcess([], { cwd })
    assert.equal(ran.exitCode, 0)
    assert.match(ran.stdout, /EXAMPLES/)
  })

  test('an archive is served in place, and what is pulled has its digest', async () => {
    await serving(['serve', 'web.tgz'], async (registry, url) => {
      const answer = await fetch(`${url}/v2/shop/web/manifests/1.0`)
      assert.equal(answer.status, 200)
      const ran = await runHere(['verify', `${registry}/shop/web:1.0`], { cwd })
      assert.equal(ran.exitCode, 0, ran.stderr)
      const refused = await runHere(['copy', 'oci:web', `${registry}/shop/new:1`], { cwd })
      assert.notEqual(refused.exitCode, 0)
    })
  })

  test('an overlay takes pushes, and keeps them', async () => {
    const args = ['serve', 'web.tgz', '--overlay', 'pushed']
    await serving(args, async (registry) => {
      const ran = await runHere(['copy', 'oci:web', `${registry}/shop/new:1`], { cwd })
      assert.equal(ran.exitCode, 0, ran.stderr)
    })
    await serving(args, async (_, url) => {
      for (const path of ['shop/new/manifests/1', 'shop/web/manifests/1.0']) {
        assert.equal((await fetch(`${url}/v2/${path}`)).status, 200, path)
      }
    })
  })

  test('a registry with passwords: 4 without one, and never the password', async () => {
    await serving(['registry', 'serve', 'data', '--htpasswd', 'users'], async (registry) => {
      const refused = await runHere(['copy', 'oci:web', `${registry}/shop/web:1`], { cwd })
      assert.equal(refused.exitCode, 4, refused.stderr)
      const auth = Buffer.from('ship:correct horse').toString('base64')
      writeFileSync(join(cwd, 'auth.json'), JSON.stringify({ auths: { [registry]: { auth } } }))
      const args = ['copy', 'oci:web', `${registry}/shop/web:1`, '--auth-file', 'auth.json']
      const ran = await runHere(args, { cwd })
      assert.equal(ran.exitCode, 0, ran.stderr)
      for (const { stdout, stderr } of [refused, ran]) {
        assert.doesNotMatch(stdout + stderr, /correct horse/)
        assert.ok(!(stdout + stderr).includes(auth))
      }
    })
  })

  test('exit codes tell what kind of failure it was', async () => {
    for (const [exitCode, ...args] of [
      [2, 'nothing'],
      [2, 'verify'],
      [2, 'verify', 'UPPER CASE'],
      [2, 'serve', 'web.tgz', '--colour', 'red'],
      [3, 'verify', 'absent.tgz'],
      [3, 'show', 'nobody'],
      [1, 'serve', 'web.tgz', '--listen', '127.0.0.1:1', '--overlay', 'users'],
    ] as const) {
      const ran = await runHere(args, { cwd })
      assert.equal(ran.exitCode, exitCode, `${args.join(' ')}: ${ran.stderr}`)
      assert.equal(ran.stdout, '')
      assert.notEqual(ran.stderr, '')
    }
  })

  test('SIGINT ends a command that waits, with 130', async () => {
    const silent = createServer(() => child.kill('SIGINT'))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const child = start(['verify', `127.0.0.1:${port}/a/b:c`], { cwd })
    const ended = await once(child, 'close')
    silent.closeAllConnections()
    silent.close()
    assert.deepEqual(ended, [130, null])
  })
})

describe('completion', () => {
  const words = async (...args: string[]) => {
    const { stdout } = await runHere(['__complete', '--', ...args], { cwd })
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0]]))
  }

  test('proposes commands, flags and values; files are left to the shell', async () => {
    assert.deepEqual(await words('re'), ['registry', 'relocate', 'release', 'receipt'])
    assert.deepEqual(await words('registry', ''), ['serve', 'gc'])
    assert.ok((await words('pack', '--pl')).includes('--platform'))
    assert.deepEqual(await words('completion', 'z'), ['zsh'])
    assert.deepEqual(await words('verify', 'web'), [])
    assert.ok(!(await words('')).includes('__complete'))
  })

  test('has a script for each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout, exitCode } = await runHere(['completion', shell], { cwd })
      assert.equal(exitCode, 0)
      assert.match(stdout, /sealift __complete/)
    }
    assert.equal((await runHere(['completion', 'tcsh'], { cwd })).exitCode, 2)
  })
})
