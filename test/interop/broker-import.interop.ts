// What Trustee's own key broker, unmodified, has in its storage is in ours after `sealift broker import`, whichever of its
// storages it was. Never required: see test/peers/trustee-kbs.sh.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runHere } from '../../src/cli/cli.suite.ts'
import { peersCache } from './peers.ts'
import { freePort, Workbench } from './workbench.ts'

const program = join(peersCache, 'bin', 'trustee-kbs')
const skip = existsSync(program) ? false : 'NOT TESTED: no trustee-kbs here (sh test/peers/trustee-kbs.sh)'
const secret = Buffer.from([0, 255, 10, 13, 92])
const rego = 'package policy\n\nimport rego.v1\n\ndefault allow := false\n'
const cpu = 'package policy\n\nimport rego.v1\n\ntrust_claims := {"executables": 3}\n'

describe("Trustee's own key broker, imported", { skip }, () => {
  const bench = new Workbench()
  after(() => bench[Symbol.asyncDispose]())

  for (const [kind, member] of [
    ['LocalFs', 'local_fs.dir_path'],
    ['LocalJson', 'local_json.file_dir_path'],
  ] as const)
    test(`out of its ${kind}`, async () => {
      const port = await freePort()
      const config = bench.path(`${kind}.toml`)
      writeFileSync(config, configuration(port, kind, member, bench.path(`storage-${kind}`)))
      await filledBy(config, `http://127.0.0.1:${port}/kbs/v0`)

      const run = async (...args: string[]) => {
        const env = { SEALIFT_PASSWORD: 'only for a test' }
        const { exitCode, stdout, stderr } = await runHere(['broker', ...args, '-o', 'json'], {
          cwd: bench.path(''),
          env,
        })
        assert.equal(exitCode, 0, stderr)
        return JSON.parse(stdout)
      }
      const directory = bench.path(`ours-${kind}`)
      const { resources, policies, references } = await run('import', config, directory)
      assert.deepEqual(resources, ['default/key/one'])
      assert.ok(policies.includes('resource'))
      assert.ok(policies.includes('attestation/default_cpu'))
      assert.deepEqual(references, ['svn'])
      const at = ['--broker', directory]
      assert.equal((await run('policy', 'show', 'resource', ...at)).files[0].text, rego)
      assert.equal((await run('policy', 'show', 'attestation/default_cpu', ...at)).files[0].text, cpu)
      const [known] = await run('reference', 'ls', ...at)
      assert.deepEqual([known.name, known.value], ['svn', ['1']])
      // The owner may read where the store says so: that is how the bytes are seen here.
      const { readFile } = await import('node:fs/promises')
      const yaml = join(directory, 'broker.yaml')
      const place = 'place: { kind: sqlite, path: secrets.sqlite }'
      const text = await readFile(yaml, 'utf8')
      assert.ok(text.includes(place))
      writeFileSync(yaml, text.replace(place, `${place}\n      verbs: { read: [guest, owner] }`))
      const { base64 } = await run('resource', 'get', 'default/key/one', ...at)
      assert.deepEqual(Buffer.from(base64, 'base64'), secret)
    })
})

const configuration = (port: number, kind: string, member: string, folder: string) => `[attestation_service]
type = "coco_as_builtin"
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
storage_type = "${kind}"
backends.${member} = "${folder}"
[[plugins]]
name = "resource"
storage_backend_type = "kvstorage"
`

/** Starts it, gives it one of everything, and stops it. */
async function filledBy(config: string, url: string): Promise<void> {
  const child = spawn(program, ['--config-file', config], { stdio: 'ignore' })
  const ended = once(child, 'close')
  try {
    const post = async (path: string, body: string | Buffer) => {
      const reply = await fetch(`${url}/${path}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      })
      assert.ok(reply.ok, `${path}: ${reply.status}`)
    }
    const policy = Buffer.from(rego).toString('base64url')
    for (let attempt = 0; ; attempt++) {
      try {
        await post('resource-policy', JSON.stringify({ policy }))
        break
      } catch (error) {
        if (attempt === 100) throw error
        await sleep(50)
      }
    }
    await post('resource/default/key/one', secret)
    const policyText = Buffer.from(cpu).toString('base64url')
    const attestation = { type: 'rego', policy_id: 'default_cpu', policy: policyText }
    await post('attestation-policy', JSON.stringify(attestation))
    const payload = Buffer.from(JSON.stringify({ svn: ['1'] })).toString('base64')
    await post('reference-value', JSON.stringify({ version: '0.1.0', type: 'sample', payload }))
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}
