import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import {
  connectPostgres,
  directoryTiles,
  type Log,
  leafHash,
  noteSigner,
  noteVerifier,
  openLog,
  openPostgresLog,
  proveEntry,
  readLog,
  verifyInclusion,
  verifyLogProof,
} from '#log/index.ts'
import { findPeer } from '../../test/interop/peers.ts'
import { startPostgres } from '../../test/interop/postgres.ts'
import { median } from '../measure.ts'
import type { Setting } from '../setting.ts'

const origin = 'log.example/bench'
/** What an entry of the audit log comes to. */
const entryBytes = 600
const callers = 256
const largeLog = 1_000_000

/** The append-only log: group commit, proofs, and opening. */
export async function logGroup({ folder, runs, report }: Setting): Promise<void> {
  const sync = await syncMs(join(folder, 'sync'))
  report.group(
    'The log',
    `Entries of ${entryBytes} bytes. Every append is synced and signed for before it is answered; a write with a sync takes ${sync.toFixed(2)} ms on this disk.`,
  )
  const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
  const trust = { origin, verifiers: [noteVerifier(signer)] }
  const entries = Array.from({ length: 4096 }, () => randomBytes(entryBytes))
  const rates: number[] = []
  const singles: number[] = []
  for (let run = 0; run < runs; run++) {
    await using log = await openLog({ directory: join(folder, `log-${run}`), origin, signer })
    rates.push(await rate(log, entries, callers, 20_000))
    const begun = performance.now()
    const alone = 500
    for (let at = 0; at < alone; at++) await log.append(entries[at]!)
    singles.push((performance.now() - begun) / alone)
  }
  report.goal(`appends by ${callers} callers at once`, median(rates), 'entries/s', 5000)
  report.figure('append by one caller alone', median(singles), 'ms')

  if (findPeer('pg_ctl')) {
    await using server = await startPostgres()
    await using database = await connectPostgres(server.url)
    await using one = await openPostgresLog({ database, origin, signer })
    await using two = await openPostgresLog({ database, origin, signer })
    const both = await Promise.all([one, two].map((log) => rate(log, entries, callers, 10_000)))
    report.goal('in PostgreSQL, by two replicas at once', 2 * Math.min(...both), 'entries/s', 5000)
  } else report.absent('PostgreSQL')

  const directory = join(folder, 'log-large')
  {
    await using log = await openLog({ directory, origin, signer })
    report.goal('appends by 4096 callers at once', await rate(log, entries, 4096, largeLog), 'entries/s')
  }
  const openings: number[] = []
  const readings: number[] = []
  for (let run = 0; run < runs * 2; run++) {
    const begun = performance.now()
    await using log = await openLog({ directory, origin, signer })
    openings.push(performance.now() - begun)
    if ((await log.checkpoint()).size !== largeLog) throw new Error('the large log is not whole')
    const reading = performance.now()
    const reader = readLog({ ...trust, store: directoryTiles(directory, nodeFileSystem) })
    await reader.entry(123_456 + run * 1000)
    readings.push(performance.now() - reading)
  }
  report.figure('opening a log of 1,000,000 entries for writing', median(openings), 'ms')
  report.figure('opening it for reading, and one verified entry', median(readings), 'ms')

  const reader = readLog({ ...trust, store: directoryTiles(directory, nodeFileSystem) })
  const checkpoint = await reader.checkpoint()
  const indexes = Array.from({ length: 5000 }, (_, at) => (at * 7919) % 100_000)
  const making = performance.now()
  const proofs: (readonly Uint8Array[])[] = []
  for (const index of indexes) proofs.push(await reader.inclusionProof(index, checkpoint.size))
  const verifying = performance.now()
  indexes.forEach((index, at) => {
    verifyInclusion(leafHash(entries[index % 4096]!), index, checkpoint, proofs[at]!)
  })
  const done = performance.now()
  report.goal('inclusion proofs made', (indexes.length / (verifying - making)) * 1000, 'a second')
  report.goal('inclusion proofs verified', (indexes.length / (done - verifying)) * 1000, 'a second')
  const whole = await proveEntry(reader, 99)
  const offline = performance.now()
  for (let at = 0; at < 500; at++) verifyLogProof(whole, entries[99]!, trust)
  report.figure(
    'verifying a tlog-proof offline, its signature too',
    (performance.now() - offline) / 500,
    'ms',
  )
}

/** Entries a second, where each of so many callers waits for its answer before it comes again. */
async function rate(log: Log, entries: readonly Buffer[], callers: number, count: number): Promise<number> {
  let next = 0
  const begun = performance.now()
  const caller = async () => {
    while (next < count) await log.append(entries[next++ % entries.length]!)
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return (count / (performance.now() - begun)) * 1000
}

async function syncMs(path: string): Promise<number> {
  const file = await nodeFileSystem.open(path, 'create')
  const begun = performance.now()
  for (let at = 0; at < 50; at++) {
    await file.write(randomBytes(4096), at * 4096)
    await file.sync()
  }
  await file.close()
  return (performance.now() - begun) / 50
}
