import { jsonIn, openBrokerAdmin } from '../broker/admin.ts'
import type { BrokerLeasesFlags } from '../commands/broker-leases.ts'
import type { Context } from '../context.ts'
import { openSession } from '../session.ts'
import { print, table } from '../shell/print.ts'

/** A lease as the broker tells it. */
interface Told {
  readonly name: string
  readonly address: string
  readonly holder: string
  readonly from: string
  readonly until: string
}

export async function ls(this: Context, flags: BrokerLeasesFlags): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  const leases: Told[] = []
  for (let after: string | undefined; ; ) {
    const query = { limit: '1000', ...(after !== undefined && { after }) }
    const reply = await broker.ask({ api: 'admin', method: 'GET', path: ['leases'], query })
    const page = jsonIn<{ leases: Told[]; next?: string }>(reply)
    leases.push(...page.leases)
    after = page.next
    if (after === undefined) break
  }
  print(this, session.format, leases, () =>
    table(
      ['NAME', 'ADDRESS', 'UNTIL', 'HOLDER'],
      leases.map(({ name, address, until, holder }) => [name, address, until, holder]),
    ),
  )
}

export async function revoke(this: Context, flags: BrokerLeasesFlags, name: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  await broker.ask({ api: 'admin', method: 'DELETE', path: ['leases', name] })
  print(this, session.format, { revoked: name }, () => `revoked ${name}`)
}
