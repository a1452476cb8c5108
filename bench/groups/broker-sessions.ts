import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MemorySessions, openPostgresSessions, type SessionStore } from '#broker/index.ts'
import { findPeer } from '../../test/interop/peers.ts'
import { startPostgres } from '../../test/interop/postgres.ts'
import type { Setting } from '../setting.ts'

const count = 100_000
const inDatabase = 20_000
/** Of a token with the claims of one TEE. */
const tokenLength = 2500

/** What the sessions of many guests take, in memory and in a database that replicas share. */
export async function brokerSessionsGroup({ runs, report }: Setting): Promise<void> {
  report.group(
    "Sessions of the key broker's guests",
    `${count} sessions are made, attested with a token of ${tokenLength} characters and read, in the memory of one process; and ${inDatabase} in PostgreSQL, 64 at once over 8 connections.`,
  )
  const scale = runs === 1 ? 0.1 : 1
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const memory = new MemorySessions()
  collect()
  const before = process.memoryUsage().rss
  const inMemory = await fill(memory, count * scale, 1)
  collect()
  report.figure(
    'memory for all of them, tokens included',
    (process.memoryUsage().rss - before) / 2 ** 20,
    'MiB',
  )
  report.goal('made, attested and read, in memory, per CPU second', inMemory.perCpuSecond, 'sessions')
  if (!findPeer('pg_ctl')) return report.absent('pg_ctl')
  await using server = await startPostgres()
  await using shared = await openPostgresSessions(server.url)
  const { perSecond, perCpuSecond } = await fill(shared, inDatabase * scale, 64)
  report.goal('made, attested and read, in PostgreSQL, each second', perSecond, 'sessions')
  report.goal('the same, per CPU second of the broker', perCpuSecond, 'sessions')
}

async function fill(store: SessionStore, most: number, atOnce: number) {
  const at = new Date()
  const expires = new Date(at.getTime() + 300_000)
  let left = most
  const one = async () => {
    while (left-- > 0) {
      const id = randomBytes(16).toString('hex')
      const nonce = randomBytes(32).toString('base64')
      await store.create({ id, version: '0.4.0', tee: 'sample', nonce, expires }, at)
      await store.attest(id, randomBytes((tokenLength * 3) / 4).toString('base64url'), at)
      await store.read(id, at)
    }
  }
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await Promise.all(Array.from({ length: atOnce }, one))
  const { user, system } = process.cpuUsage(cpu)
  return {
    perSecond: (1000 * most) / (performance.now() - begun),
    perCpuSecond: (1e6 * most) / (user + system),
  }
}
