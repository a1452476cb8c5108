import { resolve } from 'node:path'
import { type GuestClient, generateTeeKey, guestClient } from '#attestation/index.ts'
import { attestationLimits } from '#base/index.ts'
import { brokerFetch } from '../broker/broker-fetch.ts'
import { failure } from '../codes.ts'
import type { BrokerClientFlags, BrokerClientTokenFlags } from '../commands/broker-client.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function get(this: Context, flags: BrokerClientFlags, path: string): Promise<void> {
  await using session = await openSession(this, flags)
  const request = requestOf(path, flags.query)
  const client = await guestOf(this, flags)
  const value = await client.get(request, session.signal)
  if (session.format === 'text') this.process.stdout.write(value)
  else print(this, session.format, { path, base64: Buffer.from(value).toString('base64') }, () => '')
}

export async function token(this: Context, flags: BrokerClientTokenFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const client = await guestOf(this, flags)
  const attested = await client.attest(session.signal)
  print(this, session.format, { token: attested }, () => attested)
}

async function guestOf(context: Context, flags: BrokerClientTokenFlags): Promise<GuestClient> {
  const { protocol: version, tee, url = 'http://127.0.0.1:8080' } = flags
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
    throw failure('USAGE', `${JSON.stringify(url)} is no address of a broker (http://HOST:PORT)`)
  const isOld = version === '0.1.0' || version === '0.1.1'
  const keyKind = flags.keyKind ?? (isOld ? 'RSA1_5' : 'P-256')
  const body =
    flags.initData === undefined
      ? undefined
      : Buffer.from(
          await readWhole(resolve(context.cwd, flags.initData), attestationLimits.initDataLength),
        ).toString()
  if (body !== undefined && version !== '0.4.0')
    throw failure('USAGE', `guests of ${version} send no init-data; those of 0.4.0 do`)
  return guestClient({
    url,
    keyPair: await generateTeeKey(keyKind),
    version,
    tee,
    ...(body !== undefined && { initData: { format: 'toml', body } }),
    fetch: brokerFetch(context.env),
  })
}

function requestOf(path: string, query: readonly string[] = []): string {
  const names = path.split('/').map(encodeURIComponent).join('/')
  const parameters = new URLSearchParams()
  for (const one of query) {
    const [name = '', ...value] = one.split('=')
    if (name === '' || value.length === 0) throw failure('USAGE', `${JSON.stringify(one)} is not NAME=VALUE`)
    parameters.set(name, value.join('='))
  }
  return parameters.size > 0 ? `${names}?${parameters}` : names
}
