// The same admin calls to our broker and to Trustee's own, unmodified: both answer the same, but for the status of a
// refusal, which is 401 for all of them there. Never required: see test/peers/trustee-kbs.sh.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrokerScene, brokerScene } from '../support/broker-scene.ts'
import { peersCache } from './peers.ts'
import { freePort, Workbench } from './workbench.ts'

const program = join(peersCache, 'bin', 'trustee-kbs')
const skip = isExecutable(program) ? false : 'NOT TESTED: no trustee-kbs here (sh test/peers/trustee-kbs.sh)'

interface Answer {
  readonly isGood: boolean
  /** Of a good one its JSON, or undefined where it is empty; of a refusal the variant of the error. */
  readonly said: unknown
}

const answerOf = (status: number, text: string): Answer => {
  const said = text === '' ? undefined : JSON.parse(text)
  return status < 300
    ? { isGood: true, said }
    : { isGood: false, said: (said as { type: string }).type.split('/').at(-1) }
}

const encoded = (text: string) => Buffer.from(text).toString('base64url')
const message = (payload: string, type = 'sample') => ({
  version: '0.1.0',
  type,
  payload: Buffer.from(payload).toString('base64'),
})

describe("Trustee's own key broker", { skip }, () => {
  const bench = new Workbench()
  let scene: BrokerScene
  let theirs: ChildProcess
  let url: string

  before(async () => {
    scene = await brokerScene()
    const port = await freePort()
    url = `http://127.0.0.1:${port}/kbs/v0`
    writeFileSync(
      bench.path('kbs.toml'),
      `[attestation_service]
type = "coco_as_builtin"
timeout = 5
[attestation_service.attestation_token_broker]
duration_min = 5
[attestation_service.rvps_config]
type = "BuiltIn"
[attestation_token]
insecure_header_jwk = true
[http_server]
sockets = ["127.0.0.1:${port}"]
insecure_http = true
[admin]
authorization_mode = "InsecureAllowAll"
[storage_backend]
storage_type = "Memory"
[[plugins]]
name = "resource"
storage_backend_type = "kvstorage"
`,
    )
    theirs = spawn(program, ['--config-file', bench.path('kbs.toml')], { stdio: 'ignore' })
    for (let turn = 0; ; turn++) {
      try {
        await fetch(`${url}/resource-policy`)
        return
      } catch (error) {
        if (turn === 100 || theirs.exitCode !== null) throw error
        await sleep(100)
      }
    }
  })
  after(async () => {
    if (theirs && theirs.exitCode === null && theirs.kill()) await once(theirs, 'exit')
    await scene?.[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  async function both(method: 'GET' | 'POST', path: string, body?: object): Promise<void> {
    const ours = await scene.admin(method, `kbs:${path}`, body)
    const reply = await fetch(`${url}/${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    assert.deepEqual(
      answerOf(ours.status, Buffer.from(ours.body).toString()),
      answerOf(reply.status, await reply.text()),
      `${method} ${path} ${JSON.stringify(body)}`,
    )
  }

  test('policies are set, listed and refused alike', async () => {
    await both('GET', 'resource-policy')
    await both('POST', 'resource-policy', { policy: encoded('package policy\ndefault allow = true\n') })
    await both('POST', 'resource-policy', { policy: encoded('package policy\nallow := false'), more: 1 })
    await both('GET', 'resource-policy')
    await both('POST', 'resource-policy', { policy: encoded('package') })
    const appraisal = encoded('package policy\ntrust_claims := {"hardware": 2}')
    await both('POST', 'attestation-policy', { type: 'rego', policy_id: 'default_cpu', policy: appraisal })
    await both('POST', 'attestation-policy', { policy_id: 'default_gpu', policy: appraisal })
  })

  test('reference values are taken, told and refused alike', async () => {
    await both('POST', 'reference-value', message('{"svn": ["1"], "number": 5, "object": {"a": [null]}}'))
    for (const name of ['svn', 'number', 'object', 'none', 'a/b'])
      await both('GET', `reference-value/${name}`)
    await both('POST', 'reference-value', message('{"svn": ["2"]}'))
    await both('GET', 'reference-value/svn')
    for (const bad of [
      {},
      message('{'),
      message('[]'),
      message('{}', 'other'),
      { ...message('{}'), payload: '!' },
    ])
      await both('POST', 'reference-value', bad)
  })
})

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
