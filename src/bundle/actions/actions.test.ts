import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { checkBundle } from '../bundle-file.ts'
import { checkInstallationName, stateDirectory } from '../claims/state-directory.ts'
import { ClaimStore } from '../claims/store.ts'
import { checkCredentialSet } from '../inputs/credential-set.ts'
import type { Driver, Operation, OperationResult } from '../runtime/operation.ts'
import { listInstallations, openLog, readOutputs, showInstallation } from './installations.ts'
import { type ActionContext, type ActionRequest, runAction } from './run-action.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const never = new AbortController().signal
const base = mkdtempSync(join(tmpdir(), 'sealift-actions-'))
after(() => rmSync(base, { recursive: true, force: true }))
let count = 0

const digest = digestOf(Buffer.from('the invocation image'))
const root = { mediaType: mediaTypes.ociManifest, digest, size: 1 }
const bundleWith = (parts: { [key: string]: Json } = {}) =>
  checkBundle({
    schemaVersion: 'v1.2.0',
    name: 'app',
    version: '1.0.0',
    invocationImages: [{ image: 'example/run:1', contentDigest: digest }],
    definitions: {
      port: { type: 'integer', default: 80 },
      text: { type: 'string' },
      secret: { type: 'string', writeOnly: true },
      withDefault: { type: 'string', default: 'fallback' },
    },
    parameters: {
      port: { definition: 'port', destination: { env: 'PORT' } },
      name: { definition: 'text', destination: { env: 'NAME' } },
      password: { definition: 'secret', destination: { env: 'PASSWORD' } },
    },
    credentials: { token: { env: 'TOKEN', required: true } },
    outputs: {
      url: { definition: 'text', path: '/cnab/app/outputs/url', applyTo: ['install'] },
      key: { definition: 'secret', path: '/cnab/app/outputs/key', applyTo: ['install'] },
      note: { definition: 'withDefault', path: '/cnab/app/outputs/note', applyTo: ['install'] },
    },
    actions: { status: {}, rotate: { modifies: true }, 'io.cnab.help': { stateless: true } },
    ...parts,
  })
const bundle = bundleWith()
const credentialSets = [
  checkCredentialSet({ credentials: [{ name: 'token', source: { value: 'the token' } }] }),
]

type Act = (operation: Operation, signal: AbortSignal) => Promise<Partial<OperationResult>>
const works: Act = async ({ outputs }) => {
  const all = new Map([
    ['url', Buffer.from('http://x')],
    ['key', Buffer.from('the key')],
  ])
  return { outputs: new Map([...all].filter(([name]) => outputs.has(name))) }
}

async function setup() {
  const store = await ClaimStore.open(join(base, `state-${count++}`))
  const operations: Operation[] = []
  const act = (
    request: Omit<ActionRequest, 'name'> & { name?: string },
    how: Act = works,
    more: Partial<ActionContext> = {},
    signal = never,
  ) => {
    const driver: Driver = {
      name: 'test',
      imageTypes: ['oci'],
      async run(operation, stop) {
        operations.push(operation)
        return { exitCode: 0, outputs: new Map(), ...(await how(operation, stop)) }
      },
    }
    const locate = async () => ({ root, source: { open: () => Promise.reject(new Error('not read')) } })
    return runAction({ name: 'web', credentialSets, ...request }, { store, driver, locate, ...more }, signal)
  }
  return { store, operations, act }
}

describe('the life of an installation', () => {
  test('install, upgrade, a custom action, uninstall, and install again', async () => {
    const { store, operations, act } = await setup()
    const installed = await act({ action: 'install', bundle, parameters: { name: { text: 'n' } } })
    assert.equal(installed.result.status, 'succeeded')
    assert.deepEqual([...installed.outputs.keys()], ['url', 'key', 'note'])
    assert.equal(Buffer.from(installed.outputs.get('note')!).toString(), 'fallback')
    await act({ action: 'status' })
    const next = bundleWith({
      version: '2.0.0',
      definitions: { ...bundle.definitions, port: { type: 'integer', default: 81 } },
    })
    await act({ action: 'upgrade', bundle: next, parameters: { password: { text: 'p' } } })
    await act({ action: 'uninstall' })
    assert.deepEqual(
      operations.map(({ action, environment }) => [
        action,
        environment.PORT,
        environment.NAME,
        environment.PASSWORD,
      ]),
      [
        ['install', '80', 'n', ''],
        ['status', '80', 'n', ''],
        // A default is not remembered as if somebody had given it.
        ['upgrade', '81', 'n', 'p'],
        ['uninstall', '81', 'n', 'p'],
      ],
    )
    const revisions = operations.map(({ revision }) => revision)
    assert.equal(revisions[0], revisions[1], 'what does not modify keeps the revision')
    assert.equal(new Set(revisions).size, 3)
    assert.ok(revisions.every((revision) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(revision)))
    const [summary] = await listInstallations(store)
    assert.deepEqual(
      [summary?.name, summary?.version, summary?.action, summary?.status, summary?.isUninstalled],
      ['web', '2.0.0', 'uninstall', 'succeeded', true],
    )
    await assert.rejects(act({ action: 'upgrade' }), fails('INSTALLATION_NOT_FOUND'))
    await act({ action: 'install', bundle })
    assert.equal((await listInstallations(store))[0]?.isUninstalled, false)
  })

  test('what is stored holds no credential, and secrets are not shown', async () => {
    const { store, act } = await setup()
    await act(
      { action: 'install', bundle, parameters: { password: { text: 'the password' } } },
      async (operation) => {
        assert.equal(operation.environment.TOKEN, 'the token')
        await operation.onLog?.({ stream: 'stdout', bytes: Buffer.from('said\n') })
        return works(operation, never)
      },
    )
    const files = readdirSync(store.directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    assert.ok(files.length >= 6)
    for (const file of files) {
      assert.doesNotMatch(readFileSync(join(file.parentPath, file.name), 'utf8'), /the token/)
    }
    assert.equal(statSync(store.directory).mode & 0o777, 0o700)
    const shown = await showInstallation(store, 'web')
    assert.deepEqual(shown.parameters, { port: 80, password: '(hidden)' })
    assert.deepEqual(shown.outputs, ['key', 'note', 'url'])
    assert.doesNotMatch(JSON.stringify(shown), /the (password|key)/)
    const outputs = await readOutputs(store, 'web')
    assert.deepEqual(
      outputs.map(({ name, value }) => [name, value && Buffer.from(value).toString()]),
      [
        ['key', undefined],
        ['note', 'fallback'],
        ['url', 'http://x'],
      ],
    )
    const [key] = await readOutputs(store, 'web', { name: 'key', reveal: true })
    assert.equal(Buffer.from(key!.value!).toString(), 'the key')
    await assert.rejects(readOutputs(store, 'web', { name: 'none' }), fails('OUTPUT_MISSING'))
    const log = await openLog(store, 'web')
    const buffer = new Uint8Array(100)
    assert.equal(Buffer.from(buffer.subarray(0, await log.read(buffer, 0))).toString(), 'said\n')
    await log.close()
  })

  test('a run tool that fails leaves a failed result, and install may be tried again', async () => {
    const { store, act } = await setup()
    await assert.rejects(
      act({ action: 'install', bundle }, async () => ({ exitCode: 7 })),
      (error) => {
        assert.ok(isFailure(error, 'ACTION_FAILED'))
        assert.equal(error.detail.exitCode, 7)
        return true
      },
    )
    assert.equal((await showInstallation(store, 'web')).status, 'failed')
    await act({ action: 'install', bundle })
    assert.equal((await showInstallation(store, 'web')).status, 'succeeded')
    await assert.rejects(act({ action: 'install', bundle }), fails('INSTALLATION_EXISTS'))
  })

  test('outputs that lack or do not fit fail the action', async () => {
    const { store, act } = await setup()
    await assert.rejects(
      act({ action: 'install', bundle }, async () => ({})),
      fails('OUTPUT_MISSING'),
    )
    const numbers = bundleWith({ outputs: { n: { definition: 'port', path: '/cnab/app/outputs/n' } } })
    const gives =
      (value: string): Act =>
      async () => ({ outputs: new Map([['n', Buffer.from(value)]]) })
    await assert.rejects(act({ action: 'install', bundle: numbers }, gives('secret words')), (error) => {
      assert.ok(isFailure(error, 'OUTPUT_INVALID'))
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
    await act({ action: 'install', bundle: numbers }, gives('42\n'))
    assert.equal((await showInstallation(store, 'web')).history.length, 3)
  })

  test('canceled is told as canceled', async () => {
    const { store, act } = await setup()
    const stop = new AbortController()
    const waits: Act = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        stop.abort(new Error('stopped'))
      })
    await assert.rejects(act({ action: 'install', bundle }, waits, {}, stop.signal), /stopped/)
    assert.equal((await showInstallation(store, 'web')).status, 'canceled')
  })

  test('everything is checked before anything is written or run', async () => {
    const { store, operations, act } = await setup()
    const other = digestOf(Buffer.from('another'))
    const cases: [string, Partial<ActionRequest>, Partial<ActionContext>?][] = [
      ['ACTION_UNKNOWN', { action: 'toString' }],
      ['PARAMETER_UNKNOWN', { parameters: { nope: { text: '' } } }],
      ['CREDENTIAL_MISSING', { credentialSets: [] }],
      ['EXTENSION_UNSUPPORTED', { bundle: bundleWith({ requiredExtensions: ['donuts'] }) }],
      [
        'IMAGE_DIGEST',
        {},
        {
          locate: async () => ({
            root: { ...root, digest: other },
            source: { open: () => Promise.reject() },
          }),
        },
      ],
      ['RELOCATION_INVALID', { mapping: {} }],
      ['INSTALLATION_NAME', { name: '../escape' }],
    ]
    for (const [code, request, more] of cases) {
      await assert.rejects(act({ action: 'install', bundle, ...request }, works, more), fails(code), code)
    }
    assert.equal(operations.length, 0)
    assert.deepEqual(await listInstallations(store), [])
    await assert.rejects(act({ action: 'upgrade', bundle }), fails('INSTALLATION_NOT_FOUND'))
    await assert.rejects(showInstallation(store, 'web'), fails('INSTALLATION_NOT_FOUND'))
  })

  test('a stateless action needs nothing and leaves nothing', async () => {
    const { store, operations, act } = await setup()
    await act({ action: 'io.cnab.help', bundle, credentialSets: [] })
    assert.equal(operations.length, 1)
    assert.deepEqual(await listInstallations(store), [])
    await act({ action: 'install', bundle })
    await act({ action: 'io.cnab.help', credentialSets: [] })
    assert.equal((await showInstallation(store, 'web')).history.length, 1)
  })

  test('the mapping of the install holds for what comes later', async () => {
    const { operations, act } = await setup()
    const mapping = { 'example/run:1': `registry.local/run@${digest}` }
    await act({ action: 'install', bundle, mapping })
    await act({ action: 'uninstall' })
    for (const { reference, files } of operations) {
      assert.equal(reference, mapping['example/run:1'])
      assert.deepEqual(
        JSON.parse(Buffer.from(files.get('/cnab/app/relocation-mapping.json')!).toString()),
        mapping,
      )
    }
  })

  test('a parameter takes its value from an output, unless given (810)', async () => {
    const { operations, act } = await setup()
    const sourced = bundleWith({
      custom: {
        'io.cnab.parameter-sources': { name: { priority: ['output'], sources: { output: { name: 'url' } } } },
      },
    })
    await act({ action: 'install', bundle: sourced })
    await act({ action: 'upgrade' })
    await act({ action: 'upgrade', parameters: { name: { text: 'given' } } })
    assert.deepEqual(
      operations.map(({ environment }) => environment.NAME),
      ['', 'http://x', 'given'],
    )
  })
})

describe('two at once, and one that was killed', () => {
  test('a second action is refused while the first runs', async () => {
    const { store, act } = await setup()
    await act({ action: 'install', bundle }, async (operation) => {
      await assert.rejects(act({ action: 'install', bundle }), fails('INSTALLATION_BUSY'))
      assert.equal((await showInstallation(store, 'web')).status, 'running')
      return works(operation, never)
    })
  })

  test('what a killed process left is unknown, is settled by the next, and does not block it', async () => {
    const { store, act } = await setup()
    const dead = new ClaimStore(store.directory, { isAlive: () => false })
    let killed: (() => void) | undefined
    const hangs = act(
      { action: 'install', bundle },
      () =>
        new Promise((_, reject) => {
          killed = () => reject(new Error('killed'))
        }),
    )
    while (!killed) await new Promise(setImmediate)
    assert.equal((await showInstallation(dead, 'web')).status, 'unknown')
    await act({ action: 'install', bundle }, works, { store: dead })
    const { history, status } = await showInstallation(dead, 'web')
    assert.equal(status, 'succeeded')
    assert.deepEqual(
      history.map((entry) => entry.status),
      ['unknown', 'succeeded'],
    )
    killed()
    await assert.rejects(hangs, /killed/)
  })

  test('many that want a free lock: one has it', async () => {
    const { store } = await setup()
    for (let round = 0; round < 5; round++) {
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => store.lock('web')))
      const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      assert.equal(held.length, 1, `round ${round}`)
      for (const result of results) {
        if (result.status === 'rejected')
          assert.ok(isFailure(result.reason, 'INSTALLATION_BUSY'), String(result.reason))
      }
      await held[0]![Symbol.asyncDispose]()
    }
  })
})

describe('the order of what happened', () => {
  test('holds though the clock is set back', async () => {
    const { store, act } = await setup()
    await act({ action: 'install', bundle })
    const early = new ClaimStore(store.directory, { now: () => 1_000_000 })
    await act({ action: 'upgrade' }, works, { store: early })
    await act({ action: 'uninstall' }, works, { store: new ClaimStore(store.directory, { now: () => 0 }) })
    const { history, isUninstalled } = await showInstallation(store, 'web')
    assert.deepEqual(
      history.map(({ action, status }) => [action, status]),
      [
        ['install', 'succeeded'],
        ['upgrade', 'succeeded'],
        ['uninstall', 'succeeded'],
      ],
    )
    assert.ok(isUninstalled)
  })
})

describe('the state directory', () => {
  test('is where the environment says', () => {
    const home = () => '/home/u'
    assert.equal(stateDirectory({ SEALIFT_STATE_DIR: '/s', XDG_STATE_HOME: '/x' }, home), '/s')
    assert.equal(stateDirectory({ XDG_STATE_HOME: '/x' }, home), '/x/sealift')
    assert.equal(stateDirectory({ XDG_STATE_HOME: 'relative' }, home), '/home/u/.local/state/sealift')
    assert.equal(stateDirectory({}, home), '/home/u/.local/state/sealift')
  })
  test('names of installations cannot leave it', () => {
    for (const name of ['', '.', '..', '../x', 'a/b', '.hidden', '-x', 'a\0', 'ä', 'x'.repeat(129)]) {
      assert.throws(() => checkInstallationName(name), fails('INSTALLATION_NAME'), name)
    }
    for (const name of ['technosophos.helloworld', 'a', 'A_1-b.c', 'x'.repeat(128)])
      assert.equal(checkInstallationName(name), name)
  })
  test('damage is told, not swallowed', async () => {
    const { store, act } = await setup()
    const { claim } = await act({ action: 'install', bundle })
    writeFileSync(join(store.directory, 'installations/web/claims', `${claim.id}.json`), '{"id":1}')
    await assert.rejects(showInstallation(store, 'web'), fails('CLAIM_INVALID'))
  })
})
