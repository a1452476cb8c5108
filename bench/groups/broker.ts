import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openBrokerHere } from '../../src/cli/broker/open-broker-here.ts'
import { begunSessions, fetches, handshakes, type LoadFigures } from '../broker-load.ts'
import { cost, median, startServer } from '../measure.ts'
import { find } from '../peers.ts'
import type { Report } from '../report.ts'
import type { Setting } from '../setting.ts'
import { startTrustee } from '../trustee.ts'

/** Of Trustee of August 2026, on this kind of machine (64 clients at once): handshakes each CPU second. */
const trusteePerCpuSecond = 263
const resource = 'default/key/one'
const never = new AbortController().signal

/** A key broker as it is run: `sealift broker serve`, SQLite and an audit folder, plain HTTP over loopback. */
export async function brokerGroup({ folder, runs, sealift, report }: Setting): Promise<void> {
  report.group(
    'The key broker',
    `Whole handshakes of protocol 0.4.0 as \`sample\` with one resource, on \`sealift broker serve\` with SQLite and its audit folder (an entry for each appraisal and each release, durable before the answer), over loopback; median and rate. Trustee keeps no such log. Of Trustee of August 2026 it is told that it makes ${trusteePerCpuSecond} handshakes per CPU second and takes 13 ms alone; where it is built (test/peers/trustee-kbs.sh) it is measured too.`,
  )
  const home = join(folder, 'broker')
  mkdirSync(home)
  const directory = await makeBroker(sealift, home)
  const begun = performance.now()
  const server = await startServer([sealift, 'broker', 'serve', directory], firstLine)
  report.figure('start of the process until it answers', performance.now() - begun, 'ms')
  const count = runs === 1 ? 300 : 3000
  let ours: Rate
  try {
    const broker = { host: new URL(server.address).host, pid: server.child.pid as number, resource }
    await handshakes(broker, 8, 500)
    report.figure('a handshake alone', rateOf(await handshakes(broker, 1, count / 5)).medianMs, 'ms', 5)
    for (const clients of [16, 256]) {
      const rate = rateOf(await handshakes(broker, clients, Math.max(count, clients)))
      report.goal(`handshakes, ${clients} clients: each second`, rate.perSecond, 'handshakes')
      report.goal(`handshakes, ${clients} clients: per CPU second`, rate.perCpuSecond, 'handshakes')
      report.figure(`handshakes, ${clients} clients: median`, rate.medianMs, 'ms')
    }
    ours = rateOf(await handshakes(broker, 64, count))
    const one = rateOf(await fetches(broker, 64, count))
    report.goal('one resource on a session, 64 clients: per CPU second', one.perCpuSecond, 'fetches')
    report.figure('memory with the sessions of these guests', residentMiB(broker.pid), 'MiB')
    const sessions = runs === 1 ? 10_000 : 100_000
    await begunSessions(broker, 64, sessions)
    report.figure(`memory with ${sessions} sessions more`, residentMiB(broker.pid), 'MiB')
  } finally {
    await server.stop()
  }
  const what = 'handshakes, 64 clients'
  report.rate(what, ours.perCpuSecond, 'Trustee, as told', trusteePerCpuSecond, 'per CPU second', 3)
  await besideTrustee(report, join(home, 'trustee'), count, ours)
}

async function besideTrustee(report: Report, home: string, count: number, ours: Rate): Promise<void> {
  const program = find('trustee-kbs')
  if (!program) return report.absent('Trustee')
  const trustee = await startTrustee(program, home, resource)
  try {
    const broker = { ...trustee, resource }
    await handshakes(broker, 8, 100)
    const alone = rateOf(await handshakes(broker, 1, count / 5))
    const theirs = rateOf(await handshakes(broker, 64, count / 2))
    const name = 'Trustee, measured, without a log'
    report.rate('handshakes, 64 clients', ours.perCpuSecond, name, theirs.perCpuSecond, 'per CPU second')
    report.rate('handshakes, 64 clients', ours.perSecond, name, theirs.perSecond, 'each second')
    report.figure('Trustee: a handshake alone', alone.medianMs, 'ms')
  } finally {
    await trustee.stop()
  }
}

interface Rate {
  readonly perSecond: number
  readonly perCpuSecond: number
  readonly medianMs: number
}

const rateOf = ({ count, wallMs, cpuMs, latencies }: LoadFigures): Rate => ({
  perSecond: (1000 * count) / wallMs,
  perCpuSecond: (1000 * count) / cpuMs,
  medianMs: median([...latencies]),
})

function residentMiB(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) / 1024
}

async function makeBroker(sealift: string, home: string): Promise<string> {
  const directory = join(home, 'kbs')
  const env = { ...process.env, SEALIFT_PASSWORD: 'bench', SEALIFT_STATE_DIR: join(home, 'state') }
  const listeners = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
  await cost([[sealift, 'broker', 'init', directory, '--sample', ...listeners]], env)
  // All guests are one peer here.
  appendFileSync(join(directory, 'broker.yaml'), 'limits: { requestsPerSecond: 0 }\n')
  await fill(directory)
  return directory
}

/** One secret, and reference values that hold the sample TEE good. */
async function fill(directory: string): Promise<void> {
  await using broker = await openBrokerHere(directory)
  const put = (api: 'admin' | 'kbs', path: string, body: Uint8Array) =>
    broker.face.admin(
      {
        ...{ api, method: 'PUT', path: path.split('/'), query: {}, body },
        principal: { kind: 'user', name: process.env.USER ?? 'root' },
      } as never,
      never,
    )
  const value = (json: unknown) => Buffer.from(JSON.stringify({ value: json }))
  const done = [
    await put('admin', 'references/svn', value(['1'])),
    await put('admin', 'references/launch_digest', value(['abcde'])),
    await put('kbs', `resource/${resource}`, Buffer.alloc(32, 7)),
  ]
  for (const { status, outcome } of done) if (status !== 200) throw new Error(outcome.message)
}

const firstLine = (child: { readonly stdout: NodeJS.ReadableStream | null }): Promise<string> =>
  new Promise((resolve) => {
    child.stdout?.once('data', (data: Buffer) => resolve(String(data).split('\n')[0] ?? ''))
  })
