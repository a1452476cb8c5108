// An audit log in a real PostgreSQL: replicas that record what a policy says, one of them killed, read by the commands.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { openPostgresAudit, PolicyGate, recentEvaluations } from '#gate/index.ts'
import { connectPostgres } from '#log/index.ts'
import { auditOrigin, auditQuestion } from './audit-postgres-question.ts'
import { needs } from './peers.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { Replica } from './replica.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())
const { privateKey: key } = generateKeyPairSync('ed25519')
const keyFile = bench.path('log.pem')

describe('an audit log in PostgreSQL', needs('pg_ctl'), () => {
  let server: PostgresServer
  before(async () => {
    writeFileSync(keyFile, key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
    server = await startPostgres()
    bench.onClose(async () => server[Symbol.asyncDispose]())
  })
  const audit = <T>(command: string, ...args: string[]) =>
    bench.sealiftJson<T>(['audit', ...command.split(' '), '--audit', server.url, ...args])

  test('before anything is recorded there is none, and reading makes nothing', async () => {
    const { stderr } = await bench.sealift(['audit', 'list', '--audit', server.url], { exit: 3 })
    assert.match(stderr, /AUDIT_NOT_IN_DATABASE/)
    await using database = await connectPostgres(server.url)
    const tables = await database.query("select 1 from pg_tables where tablename like 'sealift%'", [])
    assert.equal(tables.length, 0)
  })

  test('three replicas at once, one killed: whole, in one sequence, and decided the same again', async () => {
    const replicas = ['a', 'b', 'c'].map(
      (name) => new Replica('audit-postgres-writer.ts', [server.url, keyFile, name]),
    )
    await Promise.all(replicas.map((replica) => replica.reaches(60)))
    await replicas[0]!.end('SIGKILL')
    await Promise.all(replicas.slice(1).map((replica) => replica.reaches(120)))
    await Promise.all(replicas.slice(1).map((replica) => replica.end('SIGTERM')))

    const acknowledged = replicas.flatMap((replica) => replica.acknowledged)
    const verified = await audit<{ ok: boolean; entries: number; origin: string }>('verify')
    assert.deepEqual([verified.ok, verified.origin], [true, auditOrigin])
    assert.ok(verified.entries >= acknowledged.length)
    const entries = await audit<{ index: number; record: { principal: { name: string } } }[]>('list')
    for (const [index, name] of acknowledged) assert.equal(entries[index]?.record.principal.name, name)
    assert.equal(new Set(entries.map(({ record }) => record.principal.name)).size, entries.length)
    assert.deepEqual(await audit('replay'), { ok: true, replayed: verified.entries, differing: [] })
    const large = acknowledged.find(([, name]) => name.endsWith('50'))!
    const shown = await audit<{ input: { claims: { guest: string }; references: string[] } }>(
      `show ${large[0]}`,
    )
    assert.equal(shown.input.claims.guest, large[1])
    assert.deepEqual(shown.input.references, ['shared'])
    const { stdout } = await bench.sealift(['audit', 'export', '--as', 'ocsf', '--audit', server.url])
    assert.equal(stdout.trimEnd().split('\n').length, verified.entries)
  })

  test('a password in the address is refused, and one from the environment is used', async () => {
    const open = server.url.replace('@', ':secret@')
    const { stderr } = await bench.sealift(['audit', 'list', '--audit', open], { exit: 2 })
    assert.match(stderr, /SEALIFT_AUDIT_PASSWORD/)
    assert.doesNotMatch(stderr, /secret/)
    await bench.sealift(['audit', 'verify', '--audit', server.url], {
      env: { SEALIFT_AUDIT_PASSWORD: 'any' },
    })
  })

  test('changed entries and objects are told; of several logs one must be named', async () => {
    await using database = await connectPostgres(server.url)
    const origin = 'audit.example/changed'
    await using opened = await openPostgresAudit({ url: server.url, origin, key })
    const gate = new PolicyGate({ audit: opened })
    const never = new AbortController().signal
    await gate.ask(auditQuestion('x 50'), new Date(), never)
    await gate.ask(auditQuestion('x 2'), new Date(), never)
    assert.equal(
      (await recentEvaluations(opened, { purpose: 'release', policy: 'resource', most: 5 })).length,
      2,
    )

    const { stderr } = await bench.sealift(['audit', 'list', '--audit', server.url], { exit: 3 })
    assert.match(stderr, /several audit logs/)
    const named = ['--log-key', opened.verifierKey]
    const good = await audit<{ replayed: number }>('replay', ...named)
    assert.equal(good.replayed, 2)
    await database.query(
      "update sealift_audit_object set bytes = bytes || 'x' where octet_length(bytes) > 50000",
      [],
    )
    const told = await bench.sealift(['audit', 'verify', '--audit', server.url, ...named], { exit: 5 })
    assert.match(told.stdout, /not what its digest says/)
    await database.query(
      "update sealift_log_entry set entry = entry || ' ' where index = 1 and log = (select id from sealift_log where origin = $1)",
      [origin],
    )
    const changed = await bench.sealift(['audit', 'verify', '--audit', server.url, ...named], { exit: 'any' })
    assert.match(changed.stderr, /LOG_TILE_INVALID/)
  })
})
