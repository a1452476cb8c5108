import { attestationLimits } from '#base/index.ts'
import { jsonIn, openBrokerAdmin } from '../broker/admin.ts'
import { readFileOrInput } from '../broker/file-or-input.ts'
import { failure } from '../codes.ts'
import type { BrokerReferenceFlags, BrokerReferenceSetFlags } from '../commands/broker-reference.ts'
import type { Context } from '../context.ts'
import { openSession } from '../session.ts'
import { print, table } from '../shell/print.ts'

/** A value as the broker tells it. */
interface Told {
  readonly name: string
  readonly value: unknown
  readonly expires: string
  readonly origin: string
  readonly at: string
}

export async function set(
  this: Context,
  flags: BrokerReferenceSetFlags,
  name: string,
  text: string,
): Promise<void> {
  await using session = await openSession(this, flags)
  const value = jsonOf(text)
  await using broker = await openBrokerAdmin(this, session, flags)
  const said = { value, ...(flags.expires !== undefined && { expires: flags.expires }) }
  const path = ['references', ...name.split('/')]
  const body = Buffer.from(JSON.stringify(said))
  const told = jsonIn<Told>(await broker.ask({ api: 'admin', method: 'PUT', path, body }))
  print(this, session.format, told, () => `${told.name} is set until ${told.expires}`)
}

export async function ls(this: Context, flags: BrokerReferenceFlags): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  const told = jsonIn<Told[]>(await broker.ask({ api: 'admin', method: 'GET', path: ['references'] }))
  const now = new Date().toISOString()
  const rows = told.map((one) => ({ ...one, expired: one.expires <= now }))
  print(this, session.format, rows, () =>
    table(
      ['NAME', 'VALUE', 'EXPIRES', 'ORIGIN'],
      rows.map(({ name, value, expires, expired, origin }) => [
        name,
        JSON.stringify(value),
        expired ? `${expires} (has expired)` : expires,
        origin,
      ]),
    ),
  )
}

export async function rm(this: Context, flags: BrokerReferenceFlags, name: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  await broker.ask({ api: 'admin', method: 'DELETE', path: ['references', ...name.split('/')] })
  print(this, session.format, { removed: name }, () => `removed ${name}`)
}

export async function take(this: Context, flags: BrokerReferenceFlags, file: string): Promise<void> {
  await using session = await openSession(this, flags)
  const body = await readFileOrInput(this, file, attestationLimits.bodyBytes)
  await using broker = await openBrokerAdmin(this, session, flags)
  const path = ['references', 'import']
  const taken = jsonIn<{ imported: string[]; origin: string }>(
    await broker.ask({ api: 'admin', method: 'POST', path, body }),
  )
  print(this, session.format, taken, () => [...taken.imported, `by ${taken.origin}`].join('\n'))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw failure('USAGE', `the value is not JSON: ${JSON.stringify(text.slice(0, 100))}`, {
      hint: `Quote it for the shell: '["abc"]' is a list, '"abc"' a text.`,
    })
  }
}
