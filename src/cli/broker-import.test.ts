// What Trustee keeps in its storage is taken over, and what cannot be is named.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runHere } from './cli.suite.ts'

const rego = 'package policy\n\nimport rego.v1\n\ndefault allow := false\n'
const cpu = 'package policy\n\nimport rego.v1\n\ntrust_claims := {"executables": 3}\n'
const reference = (name: string, expiration: string) =>
  JSON.stringify({ version: '0.1.0', name, expiration, value: ['1'] })

/** Namespaces, and in each of them keys and values, as Trustee names them. */
const stored: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  repository: { 'default/key/one': 'a secret', 'not-a-resource': 'x' },
  kbs: { 'resource-policy.rego': rego, 'other.txt': 'x' },
  attestation_service_policy: { 'default_cpu.rego': cpu, 'broken.rego': 'package policy\nallow if {\n' },
  reference_value: {
    svn: reference('svn', '2099-01-31T00:00:00Z'),
    broken: '{',
  },
}

function write(folder: string, kind: 'local_fs' | 'local_json'): void {
  mkdirSync(folder)
  for (const [namespace, values] of Object.entries(stored)) {
    const path = join(folder, namespace)
    const entries = Object.entries(values)
    if (kind === 'local_json') {
      const encoded = entries.map(([key, value]) => {
        const base64 = Buffer.from(value).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
        return [key, base64]
      })
      const wrong = namespace === 'repository' ? { 'a/b/number': 5, 'a/b/text': '*' } : {}
      writeFileSync(path, JSON.stringify({ ...Object.fromEntries(encoded), ...wrong }))
      continue
    }
    mkdirSync(path)
    for (const [key, value] of entries) writeFileSync(join(path, key.replaceAll('/', '\\x2F')), value)
  }
}

test('secrets, policies and reference values come along, out of folders and files', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'sealift-import-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  for (const [kind, member] of [
    ['local_fs', 'dir_path'],
    ['local_json', 'file_dir_path'],
  ] as const) {
    write(join(cwd, kind), kind)
    const storage = `storage_type = "${kind}"\nbackends.${kind}.${member} = "${kind}"\n`
    writeFileSync(join(cwd, 'kbs.toml'), `[http_server]\ninsecure_http = true\n[storage_backend]\n${storage}`)
    const directory = join(cwd, `ours-${kind}`)
    const run = async (...args: string[]) => {
      const env = { SEALIFT_PASSWORD: 'only for a test' }
      const { exitCode, stdout, stderr } = await runHere(['broker', ...args, '-o', 'json'], { cwd, env })
      assert.equal(exitCode, 0, stderr)
      return JSON.parse(stdout)
    }
    // Another owner than whoever runs it.
    const owned = kind === 'local_json' ? ['--owner', 'user:somebody-else'] : []
    const { resources, policies, references, notes } = await run('import', 'kbs.toml', directory, ...owned)
    assert.deepEqual(
      [resources, policies, references],
      [['default/key/one'], ['resource', 'attestation/default_cpu'], ['svn']],
    )
    const refused = notes.filter(({ to }: { to?: string }) => to === undefined)
    const more = kind === 'local_json' ? ['number', 'other.txt', 'text'] : ['other.txt']
    assert.deepEqual(refused.map(({ from }: { from: string }) => from.split('/').at(-1)).sort(), [
      ...['broken', 'broken.rego', 'not-a-resource'],
      ...more,
    ])
    if (kind === 'local_json') continue
    const at = ['--broker', directory]
    assert.equal((await run('policy', 'show', 'resource', ...at)).files[0].text, rego)
    const [known] = await run('reference', 'ls', ...at)
    assert.deepEqual([known.name, known.value, known.expires], ['svn', ['1'], '2099-01-31T00:00:00.000Z'])
  }
})
