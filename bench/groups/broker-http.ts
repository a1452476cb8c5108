import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { median, startServer } from '../measure.ts'
import { Client, cpuMs, expectStatus } from '../raw-client.ts'
import type { Setting } from '../setting.ts'

const program = join(import.meta.dirname, '..', 'broker-face.ts')
const cookie = 'Cookie: kbs-session-id=7a0a8b439c1643b09823ed71201526ef\r\n'
const body = Buffer.from(
  '{"version":"0.4.0","tee":"sample","extra-params":{"supported-hash-algorithms":["sha256"]}}',
)
const clients = 32
const requests = 40_000

/** What the key broker's listeners add to a request: the rest of a handshake is measured elsewhere. */
export async function brokerHttpGroup({ runs, report }: Setting): Promise<void> {
  report.group(
    'The key broker over HTTP',
    `${requests} requests with a body and a cookie by ${clients} connections, answered at once: HTTP, limits, log lines and metrics, and nothing of a broker. Beside it the same from node's HTTP server alone.`,
  )
  const ours: number[] = []
  const bare: number[] = []
  for (let run = 0; run < runs; run++) {
    bare.push(await requestCost('bare'))
    ours.push(await requestCost('ours'))
  }
  const unit = 'a CPU second'
  report.goal('requests answered', Math.round(1000 / median(ours)), unit, 12_500)
  report.goal("by node's HTTP server alone", Math.round(1000 / median(bare)), unit)
}

/** Milliseconds of processor time for one request. */
async function requestCost(kind: 'ours' | 'bare'): Promise<number> {
  const server = await startServer([process.execPath, program, kind], async ({ stdout }) => {
    const [line] = (await once(createInterface(stdout!), 'line')) as [string]
    return new URL(line).host
  })
  const connections = Array.from({ length: clients }, () => new Client(server.address))
  const send = async (count: number) => {
    let left = count
    await Promise.all(
      connections.map(async (client) => {
        while (left-- > 0) await expectStatus(client.request('POST', '/kbs/v0/auth', cookie, body), 200)
      }),
    )
  }
  try {
    await send(10_000)
    const before = cpuMs(server.child.pid!)
    await send(requests)
    return (cpuMs(server.child.pid!) - before) / requests
  } finally {
    for (const client of connections) client.close()
    await server.stop()
  }
}
