import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import type { AdminRequest } from '../face.ts'
import { MemorySecretStore } from '../stores/index.ts'
import { policiesAdministration, type RecordedRequest, StoredPolicies, tryPolicy } from './index.ts'

const at = new Date('2026-11-21T12:00:00Z')
const never = new AbortController().signal
const filesOf = (rule: string) => [{ path: 'policy.rego', text: `package policy\nimport rego.v1\n${rule}` }]
const code = (name: string) => (error: unknown) => isFailure(error, name)

/** Requests of three guests, of which the first two were let in. */
const recorded: readonly RecordedRequest[] = ['ada', 'grace', 'eve'].map((name, index) => ({
  index,
  at,
  principal: `guest:${name}`,
  resource: 'resource/default/key/one',
  allowed: name !== 'eve',
  input: { claims: { name }, request: { plugin: 'resource', 'resource-path': [], query: {} } },
}))

function administered() {
  const book = new StoredPolicies(new MemorySecretStore())
  const { handlers, kbs, problems } = policiesAdministration(book, async () => recorded)
  const ask = async (
    method: AdminRequest['method'],
    path: string,
    body: unknown = '',
    query: Record<string, string> = {},
  ) => {
    const isTrustees = path.includes('-policy')
    const names = path.split('/')
    const handler = isTrustees ? kbs![names[0]!] : handlers[names[0]!]
    const reply = await handler!(
      {
        method,
        path: names,
        query,
        body: typeof body === 'string' ? Buffer.from(body) : Buffer.from(JSON.stringify(body)),
        principal: { kind: 'user', name: 'ada' },
        api: isTrustees ? 'kbs' : 'admin',
      },
      at,
      never,
    )
    assert.equal(reply.noStore, true)
    // biome-ignore lint/suspicious/noExplicitAny: what the tests look into
    return (reply.body.length > 0 ? JSON.parse(Buffer.from(reply.body).toString()) : undefined) as any
  }
  return { book, ask, problems }
}

describe('policies administered', () => {
  test('set, listed, shown, tried, rolled back', async () => {
    const { ask } = administered()
    assert.deepEqual(await ask('GET', 'policies'), [])
    const files = filesOf('allow if input.name == "ada"')
    const first = await ask('PUT', 'policies/resource', { files })
    assert.deepEqual([first.version, first.by, first.files], [1, 'user:ada', files])
    await ask('PUT', 'policies/resource', { files: filesOf('allow := true') })
    const id = 'policies/attestation/default_cpu'
    await ask('PUT', id, { files: filesOf('trust_claims := {"hardware": 2}') })
    assert.deepEqual(
      (await ask('GET', 'policies')).map(({ name, version }: { name: string; version: number }) => [
        name,
        version,
      ]),
      [
        ['attestation/default_cpu', 1],
        ['resource', 2],
      ],
    )
    assert.equal((await ask('GET', 'policies/resource')).version, 2)
    assert.deepEqual((await ask('GET', 'policies/resource', '', { version: '1' })).files, files)
    const versions = await ask('GET', 'policies/resource/versions')
    assert.deepEqual(
      versions.map((one: { version: number; files?: unknown }) => [one.version, one.files]),
      [
        [2, undefined],
        [1, undefined],
      ],
    )
    assert.deepEqual((await ask('POST', 'policies/resource/rollback')).files, files)
    assert.equal((await ask('POST', 'policies/resource/rollback', { to: 2 })).rollbackOf, 2)
    const tried = await ask('POST', 'policies/resource/try', { files })
    assert.deepEqual([tried.tried, tried.same, tried.newlyDenied], [3, 2, 1])
    assert.equal((await ask('GET', 'policies/resource')).version, 4)
  })

  test('an attestation policy may have the name of a call', async () => {
    const { ask } = administered()
    const files = filesOf('trust_claims := {"hardware": 2}')
    await ask('PUT', 'policies/attestation/versions', { files })
    assert.equal((await ask('GET', 'policies/attestation/versions')).version, 1)
    assert.equal((await ask('GET', 'policies/attestation/versions/versions')).length, 1)
  })

  test("Trustee's own calls", async () => {
    const { ask, book } = administered()
    const text = 'package policy\ndefault allow = true\n'
    const policy = Buffer.from(text).toString('base64url')
    assert.deepEqual(await ask('GET', 'resource-policy'), [])
    assert.equal(await ask('POST', 'resource-policy', { policy, more: 1 }), undefined)
    assert.deepEqual((await book.read('resource')).files, [{ path: 'policy.rego', text }])
    assert.deepEqual(await ask('GET', 'resource-policy'), ['resource-policy'])
    const appraisal = 'package policy\ntrust_claims := {"hardware": 2}'
    const encoded = Buffer.from(appraisal).toString('base64url')
    await ask('POST', 'attestation-policy', { type: 'rego', policy_id: 'default_cpu', policy: encoded })
    assert.equal((await book.active('attestation/default_cpu'))?.version, 1)
  })

  test('what is no request of these is refused, and changes nothing', async () => {
    const { ask, book, problems } = administered()
    await ask('PUT', 'policies/resource', { files: filesOf('allow := true') })
    const invalid = 'BROKER_REQUEST_INVALID'
    const unknown = 'BROKER_PATH_UNKNOWN'
    for (const [method, path, body, wanted, query] of [
      ['PUT', 'policies/resource', '', invalid],
      ['PUT', 'policies/resource', { files: [] }, invalid],
      ['PUT', 'policies/resource', { files: [{ path: 'a', text: 1 }] }, invalid],
      ['PUT', 'policies/resource', { files: filesOf('allow := true'), more: 1 }, invalid],
      ['PUT', 'policies/resource', { files: [{ path: '../a', text: '' }] }, 'POLICY_SYNTAX'],
      ['PUT', 'policies/other', { files: filesOf('allow := true') }, 'POLICY_NAME_INVALID'],
      ['PUT', 'policies/attestation/../x', { files: filesOf('allow := true') }, 'POLICY_NAME_INVALID'],
      ['PUT', 'policies', { files: filesOf('allow := true') }, 'POLICY_NAME_INVALID'],
      ['POST', 'policies/resource/rollback', { to: 0 }, invalid],
      ['POST', 'policies/resource/rollback', { to: 5 }, 'POLICY_NOT_FOUND'],
      ['GET', 'policies/attestation/none', '', 'POLICY_NOT_FOUND'],
      ['GET', 'policies/resource', '', 'POLICY_NOT_FOUND', { version: '9' }],
      ['GET', 'policies/resource', '', invalid, { version: '1e0' }],
      ['DELETE', 'policies/resource', '', unknown],
      ['POST', 'policies/resource', '', unknown],
      ['DELETE', 'resource-policy', '', unknown],
      ['PUT', 'resource-policy', { policy: '' }, unknown],
      ['POST', 'resource-policy/x', { policy: '' }, unknown],
      ['GET', 'attestation-policy', '', unknown],
      ['POST', 'resource-policy', { policy: 'a+b/' }, invalid],
      ['POST', 'resource-policy', { policy: 'gA' }, invalid],
      ['POST', 'resource-policy', { policy: 5 }, invalid],
      ['POST', 'resource-policy', '{"policy":"","policy":""}', invalid],
      ['POST', 'attestation-policy', { policy: '' }, invalid],
      ['POST', 'attestation-policy', { policy: '', policy_id: '../x' }, 'POLICY_NAME_INVALID'],
    ] as const) {
      await assert.rejects(ask(method, path, body, query), code(wanted), `${method} ${path}`)
      assert.ok(wanted === invalid || wanted === unknown || wanted in problems, wanted)
    }
    assert.deepEqual(await book.names(), ['resource'])
    assert.equal((await book.versions('resource')).length, 1)
  })
})

describe('a policy that is tried', () => {
  const tried = (rule: string, told?: number) =>
    tryPolicy('resource', filesOf(rule), recorded, undefined, told)

  test('tells what would be answered otherwise, and to whom', async () => {
    const { changes, ...counts } = await tried('allow if input.name in ["eve", "ada"]')
    assert.deepEqual(counts, {
      tried: 3,
      same: 1,
      newlyAllowed: 1,
      newlyDenied: 1,
      different: 0,
      failed: 0,
    })
    assert.deepEqual(
      changes.map(({ entry, principal, change }) => [entry, principal, change]),
      [
        [1, 'guest:grace', 'denied'],
        [2, 'guest:eve', 'allowed'],
      ],
    )
    assert.equal((await tried('allow := false', 1)).changes.length, 1)
  })

  test('that fails denies, and is told', async () => {
    const { failed, newlyDenied, changes } = await tried('allow := input.name\nallow := "x"')
    assert.deepEqual([failed, newlyDenied], [3, 2])
    assert.match(changes[0]!.reasons[0]!, /policy\.rego/)
  })

  test('is held against appraisals by all that they come to', async () => {
    const appraisal = (outputs: Json): RecordedRequest => ({
      ...recorded[0]!,
      outputs,
      input: { sample: { svn: '1' } },
    })
    const { same, different } = await tryPolicy(
      'attestation/default_cpu',
      filesOf('trust_claims := {"hardware": 2, "executables": 3}'),
      [
        appraisal({ trust_claims: { executables: 3, hardware: 2 }, extensions: [] }),
        appraisal({ trust_claims: { executables: 33, hardware: 2 }, extensions: [] }),
      ],
    )
    assert.deepEqual([same, different], [1, 1])
  })

  test('ends when nobody waits for it', async () => {
    const policy = filesOf('allow := true')
    await assert.rejects(tryPolicy('resource', policy, recorded, AbortSignal.abort()), { name: 'AbortError' })
    await assert.rejects(tryPolicy('resource', filesOf('allow :='), recorded), code('POLICY_SYNTAX'))
  })
})
