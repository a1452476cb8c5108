import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { isFailure } from '#base/index.ts'
import type { Driver } from '../runtime/operation.ts'
import { detectNamespaces } from './namespaces/detect.ts'
import { NamespacesDriver } from './namespaces/driver.ts'
import { detectOciRuntime } from './oci-runtime/detect.ts'
import { OciRuntimeDriver, type OciRuntimeOptions } from './oci-runtime/driver.ts'
import { identityOf, isAlive } from './process-identity.ts'
import { logText, operation, shellImage } from './test-image.suite.ts'
import { parseVolume } from './volume.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const never = new AbortController().signal
const base = mkdtempSync(join(tmpdir(), 'sealift-drivers-'))
after(() => rmSync(base, { recursive: true, force: true }))
let count = 0

const kinds = [
  { report: detectNamespaces(), make: (options: OciRuntimeOptions): Driver => new NamespacesDriver(options) },
  { report: detectOciRuntime(), make: (options: OciRuntimeOptions): Driver => new OciRuntimeDriver(options) },
]

for (const { report, make } of kinds) {
  const skip = report.available ? false : `this machine cannot: ${report.why}`
  const driver = (options: Partial<OciRuntimeOptions> = {}) => {
    const workDirectory = join(base, `${report.name}-${count++}`)
    return { workDirectory, driver: make({ workDirectory, ...options }) }
  }

  describe(`the driver ${report.name}`, { skip }, () => {
    test('gives the run tool what the contract says and nothing of this machine', async () => {
      process.env.SEALIFT_TEST_SECRET = 'of the machine'
      const image = await shellImage(
        'env; cat /etc/app/config; cat /cnab/bundle.json; id -u; ls /; echo problem >&2',
        {},
        { env: { FROM_IMAGE: 'yes', NAME: 'image' } },
      )
      const log = logText()
      const { driver: it } = driver()
      const result = await it.run(
        operation(image, {
          environment: { NAME: 'contract', EMPTY: '' },
          files: new Map([
            ['/etc/app/config', Buffer.from('configured\n')],
            ['/cnab/bundle.json', Buffer.from('{"name":"x"}\n')],
          ]),
          onLog: log.onLog,
        }),
        never,
      )
      delete process.env.SEALIFT_TEST_SECRET
      assert.equal(result.exitCode, 0, log.text())
      const lines = log.text().split('\n')
      for (const line of [
        'FROM_IMAGE=yes',
        'NAME=contract',
        'EMPTY=',
        'configured',
        '{"name":"x"}',
        '0',
        'problem',
        'cnab',
      ]) {
        assert.ok(lines.includes(line), `${line} is in ${log.text()}`)
      }
      assert.doesNotMatch(log.text(), /of the machine/)
      const variables = lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => line.split('=')[0])
      assert.deepEqual(
        variables.filter((name) => !['PATH', 'HOME', 'FROM_IMAGE', 'NAME', 'EMPTY', 'PWD'].includes(name!)),
        [],
      )
    })

    test('variables of a bundle reach the run tool, not the programs that start it', async () => {
      const image = await shellImage('env')
      const log = logText()
      const environment = {
        LD_PRELOAD: '/nowhere/evil.so',
        PATH: '/bin',

        name: 'n',
        IFS: ':',
      }
      await driver().driver.run(operation(image, { environment, onLog: log.onLog }), never)
      for (const [name, value] of Object.entries(environment)) {
        if (name === 'IFS') continue // a shell, as this run tool is one, does not take it over
        assert.ok(log.text().split('\n').includes(`${name}=${value}`), `${name} in ${log.text()}`)
      }
      assert.doesNotMatch(log.text(), /SEALIFT_CARRY/)
      // ld.so complains once for each program that tries to load it: env itself, and the shell that is the run tool.
      assert.ok((log.text().match(/evil\.so' from LD_PRELOAD/g) ?? []).length <= 2, log.text())
    })

    test('refuses to put files into a volume', async () => {
      const image = await shellImage('true')
      const { driver: it } = driver({ volumes: [parseVolume(`${base}:/state`)] })
      const files = new Map([['/state/secret', Buffer.from('x')]])
      await assert.rejects(it.run(operation(image, { files }), never), fails('VOLUME_INVALID'))
      assert.ok(!existsSync(join(base, 'secret')))
    })

    test('separates files, drops privileges, and masks the machine', async () => {
      const image = await shellImage(
        'cat /proc/self/status; ls /root 2>/dev/null || echo no-root; ' +
          '(: > /proc/sys/kernel/hostname) 2>/dev/null && echo writable || echo protected; ls /dev',
      )
      const log = logText()
      const { exitCode } = await driver().driver.run(operation(image, { onLog: log.onLog }), never)
      assert.equal(exitCode, 0, log.text())
      assert.match(log.text(), /NoNewPrivs:\t1/)
      const effective = BigInt(`0x${/CapEff:\t([0-9a-f]+)/.exec(log.text())?.[1]}`)
      const capSysAdmin = 21n
      const capSysPtrace = 19n
      assert.equal((effective >> capSysAdmin) & 1n, 0n)
      assert.equal((effective >> capSysPtrace) & 1n, 0n)
      assert.match(log.text(), /protected/)
      assert.match(log.text(), /no-root/)
      assert.match(log.text(), /urandom/)
      assert.doesNotMatch(log.text(), /\bkmsg\b|\bmem\b/)
    })

    test('collects outputs, and reports an exit code as it is', async () => {
      const image = await shellImage(
        'echo 42 > /cnab/app/outputs/port; mkdir /cnab/app/outputs/d; echo x > /cnab/app/outputs/d/e; exit 7',
      )
      const { driver: it, workDirectory } = driver()
      const outputs = new Map([
        ['port', '/cnab/app/outputs/port'],
        ['deep', '/cnab/app/outputs/d/e'],
        ['absent', '/cnab/app/outputs/absent'],
      ])
      const result = await it.run(operation(image, { outputs }), never)
      assert.equal(result.exitCode, 7)
      assert.deepEqual(
        [...result.outputs].map(([name, value]) => [name, Buffer.from(value).toString()]),
        [
          ['port', '42\n'],
          ['deep', 'x\n'],
        ],
      )
      assert.deepEqual(readdirSync(workDirectory), [], 'nothing of the run is left')
    })

    test('refuses outputs behind links', async () => {
      const image = await shellImage('ln -s /etc/hostname /cnab/app/outputs/a; ln -s / /cnab/app/outputs/d')
      for (const path of ['a', 'd/etc/hostname']) {
        const outputs = new Map([['it', `/cnab/app/outputs/${path}`]])
        await assert.rejects(
          driver().driver.run(operation(image, { outputs }), never),
          fails('OUTPUT_HOSTILE'),
        )
      }
    })

    test('a hostile root file system leads nothing out of it', async () => {
      const victim = join(base, `victim-${count++}`)
      writeFileSync(victim, 'untouched')
      const image = await shellImage('cat /link/file; cat /leak', {
        symlinks: [
          { path: '/link', target: '../../../../../../../../../../tmp' },
          { path: '/leak', target: victim },
        ],
      })
      const log = logText()
      const files = new Map([
        ['/link/file', Buffer.from('inside\n')],
        ['/leak', Buffer.from('mine\n')],
      ])
      const { exitCode } = await driver().driver.run(operation(image, { files, onLog: log.onLog }), never)
      assert.equal(readFileSync(victim, 'utf8'), 'untouched')
      assert.ok(!existsSync('/tmp/file'))
      assert.equal(exitCode, 0, log.text())
      assert.equal(log.text(), 'inside\nmine\n')
    })

    test('stops the run tool on the signal and after its time', async () => {
      const image = await shellImage("trap '' TERM; echo started; while :; do sleep 0.05; done")
      const stop = new AbortController()
      const canceled = driver({ graceMs: 50 }).driver.run(
        operation(image, { onLog: () => stop.abort(new Error('enough')) }),
        stop.signal,
      )
      await assert.rejects(canceled, fails('ACTION_CANCELED'))
      const late = driver({ graceMs: 50, timeoutMs: 300 }).driver.run(operation(image), never)
      await assert.rejects(late, fails('ACTION_TIMEOUT'))
    })

    test('mounts what the operator gives', async () => {
      const folder = mkdtempSync(join(base, 'volume-'))
      writeFileSync(join(folder, 'in'), 'given\n')
      const image = await shellImage(
        'cat /state/in; echo kept > /state/out; (echo no > /fixed/x) 2>/dev/null || echo refused',
      )
      const log = logText()
      const volumes = [parseVolume(`${folder}:/state`), parseVolume(`${folder}:/fixed:ro`)]
      const { exitCode } = await driver({ volumes }).driver.run(operation(image, { onLog: log.onLog }), never)
      assert.equal(exitCode, 0, log.text())
      assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'kept\n')
      assert.match(log.text(), /given\n/)
      assert.match(log.text(), /refused/)
      assert.ok(!existsSync(join(folder, 'x')))
    })

    test('an image without a run tool, or whose run tool cannot start, is the driver’s failure', async () => {
      const image = await shellImage('true', { symlinks: [{ path: '/cnab/app/run', target: '/nowhere' }] })
      await assert.rejects(driver().driver.run(operation(image), never), fails('DRIVER_FAILED'))
    })

    test('runs as the user that the image names', {
      skip: process.getuid?.() !== 0 && 'needs root',
    }, async () => {
      const image = await shellImage(
        'id -u; cat /secret; echo done > /cnab/app/outputs/o',
        { files: [{ content: 'app:x:1234:1234::/home/app:/bin/sh\n', to: '/etc/passwd' }] },
        { user: 'app' },
      )
      const log = logText()
      const result = await driver().driver.run(
        operation(image, {
          files: new Map([['/secret', Buffer.from('for the app\n')]]),
          outputs: new Map([['o', '/cnab/app/outputs/o']]),
          onLog: log.onLog,
        }),
        never,
      )
      assert.equal(result.exitCode, 0, log.text())
      assert.equal(log.text(), '1234\nfor the app\n')
      assert.equal(result.outputs.size, 1)
    })
  })
}

describe('what a run tool leaves behind', {
  skip: kinds[0]!.report.available ? false : kinds[0]!.report.why,
}, () => {
  test('goes on living with namespaces, and its root stays until it ends', async () => {
    const folder = mkdtempSync(join(base, 'state-'))
    const workDirectory = join(base, `left-${count++}`)
    const it = new NamespacesDriver({ workDirectory, volumes: [parseVolume(`${folder}:/state`)] })
    const image = await shellImage(
      '(while [ ! -e /state/stop ]; do sleep 0.05; done; cat /cnab/app/run > /state/proof) >/dev/null 2>&1 & echo $! > /state/pid',
    )
    const { exitCode } = await it.run(operation(image), never)
    assert.equal(exitCode, 0)
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    const identity = identityOf(pid)
    assert.ok(identity && isAlive(identity), 'the process lives')
    assert.equal(readdirSync(workDirectory).length, 1, 'and so does its root')
    writeFileSync(join(folder, 'stop'), '')
    while (isAlive(identity)) await wait(20)
    assert.match(readFileSync(join(folder, 'proof'), 'utf8'), /state\/proof/)
    const empty = await shellImage('true')
    await it.run(operation(empty), never)
    assert.deepEqual(readdirSync(workDirectory), [], 'the next run sweeps')
  })
})
