import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { collectOutputs } from '../runtime/collect-outputs.ts'
import { containerUser } from './container-user.ts'
import { fileIn, mountPoint } from './mount-point.ts'
import { identityOf, isAlive } from './process-identity.ts'
import { runProcess } from './run-process.ts'
import { openVolume, parseVolume } from './volume.ts'
import { sweep, WorkFolder } from './work-folder.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const base = mkdtempSync(join(tmpdir(), 'sealift-parts-'))
after(() => rmSync(base, { recursive: true, force: true }))
let count = 0
const folder = () => {
  const path = join(base, String(count++))
  mkdirSync(path)
  return path
}

describe('places in a root file system', () => {
  test('links are followed inside, whatever they say', () => {
    const root = folder()
    mkdirSync(join(root, 'real'))
    symlinkSync('/real', join(root, 'absolute'))
    symlinkSync('../../../../real', join(root, 'climbing'))
    symlinkSync('absolute/deep', join(root, 'chain'))
    assert.equal(mountPoint(root, '/absolute/x', 'file'), '/real/x')
    assert.equal(mountPoint(root, '/climbing/y', 'directory'), '/real/y')
    assert.equal(mountPoint(root, '/chain/z', 'file'), '/real/deep/z')
    assert.deepEqual(readdirSync(join(root, 'real')).sort(), ['deep', 'x', 'y'])
    assert.equal(fileIn(root, '/absolute/x'), '/real/x')
    assert.equal(fileIn(root, '/absolute/none'), undefined)
  })
  test('circles, roots and things in the way are refused', () => {
    const root = folder()
    symlinkSync('b', join(root, 'a'))
    symlinkSync('a', join(root, 'b'))
    writeFileSync(join(root, 'file'), '')
    assert.throws(() => mountPoint(root, '/a/x', 'file'), fails('ROOTFS_HOSTILE'))
    assert.throws(() => mountPoint(root, '/..', 'directory'), fails('OPERATION_INVALID'))
    assert.throws(() => mountPoint(root, '/file/x', 'file'), fails('OPERATION_INVALID'))
    assert.throws(() => mountPoint(root, '/file', 'directory'), fails('OPERATION_INVALID'))
  })
  test('any links and any path stay inside', () => {
    const part = fc.constantFrom('a', 'b', 'c', '..', '.')
    const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
    const links = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), path, fc.boolean()), { maxLength: 3 })
    const outside = folder()
    fc.assert(
      fc.property(links, path, (made, wanted) => {
        const root = join(outside, 'root')
        rmSync(root, { recursive: true, force: true })
        mkdirSync(root)
        for (const [name, target, absolute] of made) {
          if (!existsSync(join(root, name))) {
            try {
              symlinkSync(absolute ? `/${target}` : target, join(root, name))
            } catch {} // there already, and dangling
          }
        }
        try {
          const place = mountPoint(root, `/${wanted}`, 'file')
          assert.ok(!place.split('/').includes('..'))
          assert.ok(existsSync(root + place))
        } catch (error) {
          assert.ok(
            isFailure(error, 'ROOTFS_HOSTILE') || isFailure(error, 'OPERATION_INVALID'),
            String(error),
          )
        }
        assert.deepEqual(readdirSync(outside), ['root'])
      }),
      { numRuns: 200 },
    )
  })
})

test('users by name, number, with group, and from the table of the image', () => {
  const root = folder()
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/home/root:\napp:x:7:8::/app:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'staff:x:50:\n')
  const user = (text: string) => Object.values(containerUser(root, text))
  assert.deepEqual(user(''), [0, 0, '/home/root'])
  assert.deepEqual(user('app'), [7, 8, '/app'])
  assert.deepEqual(user('7:staff'), [7, 50, '/app'])
  assert.deepEqual(user('99:98'), [99, 98, '/'])
  for (const text of ['nobody', 'app:nogroup', '4294967295', '-1']) {
    assert.throws(() => containerUser(root, text), fails('DRIVER_FAILED'), text)
  }
  rmSync(join(root, 'etc/passwd'))
  symlinkSync('/etc/passwd', join(root, 'etc/passwd'))
  assert.throws(() => containerUser(root, 'root'), fails('DRIVER_FAILED'), 'a link is not followed')
})

test('volumes', () => {
  assert.deepEqual(parseVolume('/a:/b/'), { from: '/a', to: '/b', readOnly: false })
  assert.deepEqual(parseVolume('/a:/b:ro'), { from: '/a', to: '/b', readOnly: true })
  for (const text of [
    '',
    '/a',
    'a:/b',
    '/a:b',
    '/a:/',
    '/a:/..',
    '/a:/b:x',
    '/a:/b:ro:z',
    '/a:/cnab',
    '/a:/x/../cnab/app',
  ]) {
    assert.throws(() => parseVolume(text), fails('VOLUME_INVALID'), text)
  }
  assert.throws(() => openVolume(parseVolume(`${base}/none:/x`)), fails('VOLUME_INVALID'))
})

describe('outputs in a folder', () => {
  test('at the limit, and one byte beyond', async () => {
    const directory = folder()
    writeFileSync(join(directory, 'o'), 'abc')
    const outputs = new Map([['o', '/cnab/app/outputs/o']])
    assert.equal((await collectOutputs(directory, outputs, { ...limits, outputBytes: 3 })).size, 1)
    await assert.rejects(
      collectOutputs(directory, outputs, { ...limits, outputBytes: 2 }),
      fails('OUTPUT_INVALID'),
    )
  })
  test('a folder is no output', async () => {
    const directory = folder()
    mkdirSync(join(directory, 'o'))
    await assert.rejects(
      collectOutputs(directory, new Map([['o', '/cnab/app/outputs/o']])),
      fails('OUTPUT_HOSTILE'),
    )
  })
})

describe('processes', () => {
  const never = new AbortController().signal
  test('an exit code, a signal, and a program that is not there', async () => {
    const run = (script: string) =>
      runProcess({ command: '/bin/sh', args: ['-c', script], environment: {} }, never)
    assert.equal(await run('exit 3'), 3)
    assert.equal(await run('kill -KILL $$'), 137)
    const absent = runProcess({ command: '/nowhere/x', args: [], environment: {} }, never)
    await assert.rejects(absent, fails('DRIVER_FAILED'))
    const aborted = runProcess({ command: '/bin/sh', args: [], environment: {} }, AbortSignal.abort())
    await assert.rejects(aborted, fails('ACTION_CANCELED'))
  })
  test('a log that cannot be written ends the run', async () => {
    const run = runProcess(
      {
        command: '/bin/sh',
        args: ['-c', 'while :; do echo x; done'],
        environment: {},
        graceMs: 50,
        onLog: () => Promise.reject(new Error('disk full')),
      },
      never,
    )
    await assert.rejects(run, /disk full/)
  })
  test('are known again by boot, number and beginning', () => {
    const own = identityOf()!
    assert.ok(isAlive(own))
    assert.ok(!isAlive({ ...own, startTicks: '1' }))
    assert.ok(!isAlive({ ...own, bootId: 'another' }))
    assert.equal(identityOf(2 ** 30), undefined)
  })
})

test('what a killed run left is swept, secrets first, and what lives is not', async () => {
  const directory = folder()
  const living = WorkFolder.make(directory)
  const dead = WorkFolder.make(directory)
  writeFileSync(join(dead.stage, '0'), 'a secret')
  const owner = { ...identityOf(), startTicks: '1', stage: dead.stage }
  writeFileSync(join(dead.path, 'owner.json'), JSON.stringify(owner))
  writeFileSync(join(directory, 'not-ours'), '')
  sweep(directory)
  assert.deepEqual(
    [living, dead].map(({ path, stage }) => [existsSync(path), existsSync(stage)]),
    [
      [true, true],
      [false, false],
    ],
  )
  assert.ok(existsSync(join(directory, 'not-ours')))
  await living[Symbol.asyncDispose]()
  assert.ok(!existsSync(living.path) && !existsSync(living.stage))
})
