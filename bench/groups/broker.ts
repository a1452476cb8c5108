import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openBrokerHere } from '../../src/cli/broker/open-broker-here.ts'
import { fetches, handshakes } from '../broker-load.ts'
import { cost, median, startServer } from '../measure.ts'
import type { Setting } from '../setting.ts'

/** Of Trustee of August 2026, on this kind of machine (64 clients at once): handshakes each CPU second. */
const trusteePerCpuSecond = 263
const resource = 'default/key/one'
const never = new AbortController().signal

/** A key broker as it is run: `sealift broker serve`, SQLite and an audit folder, plain HTTP over loopback. */
export async function brokerGroup({ folder, runs, sealift, report }: Setting): Promise<void> {
  report.group(
    'The key broker',
    `Whole handshakes of protocol 0.4.0 as \`sample\` with one resource, on \`sealift broker serve\` with SQLite and its audit folder (an entry for each appraisal and each release, durable before the answer), over loopback. Trustee (August 2026, as \`sample\`) makes ${trusteePerCpuSecond} handshakes per CPU second and takes 13 ms alone on such a machine.`,
  )
  const home = join(folder, 'broker')
  mkdirSync(home)
  const directory = join(home, 'kbs')
  const env = { ...process.env, SEALIFT_PASSWORD: 'bench', SEALIFT_STATE_DIR: join(home, 'state') }
  const listeners = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
  await cost([[sealift, 'broker', 'init', directory, '--sample', ...listeners]], env)
  // All guests are one peer here.
  appendFileSync(
    join(directory, 'broker.yaml'),
    'limits: { requestsPerSecond: 1000000, requestBurst: 1000000 }\n',
  )
  await fill(directory)
  const begun = performance.now()
  const server = await startServer([sealift, 'broker', 'serve', directory], firstLine)
  report.figure('start of the process until it answers', performance.now() - begun, 'ms')
  try {
    const broker = { host: new URL(server.address).host, pid: server.child.pid as number, resource }
    const scale = runs === 1 ? 0.1 : 1
    await handshakes(broker, 4, 50)
    for (const clients of [1, 16, 64, 256]) {
      const { count, wallMs, cpuMs, latencies } = await handshakes(
        broker,
        clients,
        Math.max(clients, 3000 * scale),
      )
      const perCpu = (1000 * count) / cpuMs
      const what = `handshakes, ${clients === 1 ? 'alone' : `${clients} clients`}`
      report.figure(`${what}, median`, median([...latencies]), 'ms', ...(clients === 1 ? [5] : []))
      report.goal(`${what}, each second`, (1000 * count) / wallMs, 'handshakes')
      const isTheirs = clients === 64
      if (isTheirs) report.rate(what, perCpu, 'Trustee, as told', trusteePerCpuSecond, 'per CPU second', 3)
      else report.goal(`${what}, per CPU second`, perCpu, 'handshakes')
    }
    const { count, cpuMs, latencies } = await fetches(broker, 64, 5000 * scale)
    report.goal('one resource on a session, 64 clients, per CPU second', (1000 * count) / cpuMs, 'fetches')
    report.figure('one resource on a session, median', median([...latencies]), 'ms')
  } finally {
    await server.stop()
  }
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
