import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planImport } from './plan-import.ts'

const plan = (text: string) => planImport(text, '/etc/kbs')

test("of Trustee's storage every namespace is taken over, from folders and from files", () => {
  for (const [type, member, kind] of [
    ['LocalFs', 'local_fs.dir_path', 'folder'],
    ['local_fs', 'local_fs.dir_path', 'folder'],
    ['LocalJson', 'local_json.file_dir_path', 'json'],
    ['local_json', 'local_json.file_dir_path', 'json'],
  ] as const) {
    const { resources, stored, notes } = plan(
      `[storage_backend]\nstorage_type = "${type}"\nbackends.${member} = "/data"`,
    )
    assert.deepEqual(resources, [{ kind, path: '/data/repository' }], type)
    assert.deepEqual(
      stored.map(({ holds, path }) => [holds, path]),
      [
        ['references', '/data/reference_value'],
        ['resourcePolicy', '/data/kbs'],
        ['attestationPolicies', '/data/attestation_service_policy'],
      ],
    )
    assert.ok(stored.every((source) => source.kind === kind))
    assert.ok(notes.every(({ from, to }) => to !== undefined || !from.startsWith('storage_backend')))
  }
})

test('where no folder is said, it is the one that Trustee takes', () => {
  const { resources } = plan('[storage_backend]\nstorage_type = "LocalFs"')
  assert.deepEqual(resources, [
    { kind: 'folder', path: '/opt/confidential-containers/storage/local_fs/repository' },
  ])
})

test('reference values may lie in a storage of another kind, or elsewhere', () => {
  const storage = '[storage_backend]\nstorage_type = "LocalFs"\nbackends.local_json.file_dir_path = "/json"\n'
  const other = plan(
    `${storage}[attestation_service.rvps_config]\ntype = "BuiltIn"\nstorage_type = "LocalJson"`,
  )
  assert.deepEqual(
    other.stored.find(({ holds }) => holds === 'references'),
    { kind: 'json', path: '/json/reference_value', holds: 'references' },
  )
  const remote = plan(
    `${storage}[attestation_service.rvps_config]\ntype = "GrpcRemote"\naddress = "http://rvps"`,
  )
  assert.ok(!remote.stored.some(({ holds }) => holds === 'references'))
  assert.match(
    remote.notes.find(({ from }) => from === 'attestation_service.rvps_config')?.why ?? '',
    /reference import/,
  )
})

test('what is in memory or a database is not there to be copied, and told', () => {
  for (const [type, isTaken] of [
    ['Memory', true],
    ['postgres', false],
    ['Redis', false],
  ] as const) {
    const { resources, stored, notes } = plan(`[storage_backend]\nstorage_type = "${type}"`)
    assert.deepEqual([resources, stored], [[], []])
    const note = notes.find(({ from }) => from === 'storage_backend.storage_type')
    assert.equal(note?.to !== undefined, isTaken, type)
  }
})
