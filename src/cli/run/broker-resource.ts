import { resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { secretLimits } from '#base/index.ts'
import { jsonIn, openBrokerAdmin } from '../broker/admin.ts'
import { failure } from '../codes.ts'
import type { BrokerResourceFlags } from '../commands/broker-resource.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { count, print, table } from '../shell/print.ts'

export async function put(
  this: Context,
  flags: BrokerResourceFlags,
  resource: string,
  file?: string,
): Promise<void> {
  const path = pathOf(resource)
  await using session = await openSession(this, flags)
  const body =
    file === undefined || file === '-'
      ? new Uint8Array(await buffer(process.stdin))
      : await readWhole(resolve(this.cwd, file), secretLimits.valueBytes)
  await using broker = await openBrokerAdmin(this, session, flags)
  await broker.ask({ api: 'kbs', method: 'POST', path, body })
  const set = { resource, sizeBytes: body.length }
  body.fill(0)
  print(this, session.format, set, () => `${resource}: ${count(set.sizeBytes, 'byte')}`)
}

export async function get(this: Context, flags: BrokerResourceFlags, resource: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  const value = await broker.ask({ api: 'kbs', method: 'GET', path: pathOf(resource) })
  if (session.format === 'text') this.process.stdout.write(value)
  else print(this, session.format, { resource, base64: Buffer.from(value).toString('base64') }, () => '')
}

interface Listed {
  readonly store: string
  readonly resources: readonly { readonly repository: string; readonly type: string; readonly tag: string }[]
  readonly next?: string
}

export async function ls(this: Context, flags: BrokerResourceFlags, repository?: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  const resources: { resource: string; store: string }[] = []
  for (let after: string | undefined; ; ) {
    const query = {
      limit: '1000',
      ...(repository !== undefined && { repository }),
      ...(after !== undefined && { after }),
    }
    const page = jsonIn<Listed>(await broker.ask({ api: 'kbs', method: 'GET', path: ['resource'], query }))
    for (const { repository, type, tag } of page.resources)
      resources.push({ resource: `${repository}/${type}/${tag}`, store: page.store })
    after = page.next
    if (after === undefined) break
  }
  print(this, session.format, resources, () =>
    table(
      ['RESOURCE', 'STORE'],
      resources.map(({ resource, store }) => [resource, store]),
    ),
  )
}

export async function rm(this: Context, flags: BrokerResourceFlags, resource: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  await broker.ask({ api: 'kbs', method: 'DELETE', path: pathOf(resource) })
  print(this, session.format, { removed: resource }, () => `removed ${resource}`)
}

function pathOf(resource: string): string[] {
  const names = resource.split('/')
  if (names.length !== 3 || names.includes(''))
    throw failure('USAGE', `${JSON.stringify(resource)} is not REPO/TYPE/TAG`)
  return ['resource', ...names]
}
