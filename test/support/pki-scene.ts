import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { Caller, PkiConfiguration, PluginRequest, SecretStore } from '#broker/index.ts'
import { openPki, type Pki, type PkiOptions } from '#broker/pki/index.ts'
import { MemorySecretStore } from '#broker/stores/index.ts'
import { parseCertificates } from '#keys/index.ts'

// A PKI in memory with a few profiles, and guests that ask it.
export const configuration: PkiConfiguration = {
  trustDomain: 'shop.example',
  clientCertificates: true,
  profiles: {
    guest: { use: ['client'], hours: 2 },
    web: {
      use: ['client', 'server'],
      dns: ['*.shop.example', '{identity}.guests.shop.example'],
      ip: ['10.1.0.0/16', '192.0.2.7', '2001:db8::/32'],
    },
    own: { use: ['server'], dns: ['*.own.example'], spiffe: false, exclusiveNames: true },
    shared: { use: ['server'], dns: ['*.own.example'], hours: 1 },
  },
}
export const start = new Date('2026-11-21T08:00:00.000Z')
export const later = (hours: number) => new Date(start.getTime() + hours * 3_600_000)
export const signal = new AbortController().signal
const claims = (initData: string, status: string) => ({
  submods: {
    cpu0: {
      'ear.status': status,
      'ear.veraison.annotated-evidence': { init_data: initData, secret: 'x' },
    },
  },
})
export const guest = (name = 'ada', status = 'affirming'): Caller => ({
  kind: 'guest',
  claims: claims(name, status),
  teeKey: {},
})
export const identity: PkiOptions['identity'] = (caller) => {
  if (caller.kind === 'certificate') return caller.identity
  if (caller.kind !== 'guest') return undefined
  const { submods } = caller.claims as ReturnType<typeof claims>
  return submods.cpu0['ear.veraison.annotated-evidence'].init_data || undefined
}

export const open = (
  store: SecretStore = new MemorySecretStore(),
  change: Partial<PkiConfiguration> = {},
  options: Partial<PkiOptions> = {},
) => openPki(store, { ...configuration, ...change }, { identity, refreshMs: 0, ...options })

export const request = (
  method: PluginRequest['method'],
  path: string,
  query: Record<string, string> = {},
  caller: Caller = guest(),
  body: Uint8Array = new Uint8Array(),
): PluginRequest => ({ plugin: 'pki', method, path: path.split('/'), query, body, caller })

interface Answer {
  certificate: string
  chain: string
  notAfter: string
  key?: string
}

export async function ask(
  pki: Pki,
  asked: PluginRequest,
  at = start,
): Promise<Answer & { x509: X509Certificate }> {
  const { body, noStore, mediaType } = await pki.plugin.handle(asked, at, signal)
  assert.ok(noStore && mediaType === 'application/json')
  const answer = JSON.parse(Buffer.from(body).toString()) as Answer
  return { ...answer, x509: new X509Certificate(answer.certificate) }
}

export const made = (pki: Pki, query: Record<string, string>, caller = guest(), at = start) =>
  ask(pki, request('GET', 'certificate', query, caller), at)
export const signed = (
  pki: Pki,
  query: Record<string, string>,
  csr: Uint8Array,
  caller = guest(),
  at = start,
) => ask(pki, request('POST', 'certificate', query, caller, csr), at)
export const text = async (pki: Pki, path: string, at = start) => {
  const reply = await pki.plugin.handle(request('GET', path, {}, { kind: 'anonymous' }), at, signal)
  assert.equal(reply.noStore, false)
  return Buffer.from(reply.body).toString()
}
export const admin = async (
  pki: Pki,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  extra = {},
  at = start,
) => {
  const principal = { kind: 'user', name: 'ada' } as const
  const asked = {
    method,
    path: path.split('/'),
    query: {},
    body: new Uint8Array(),
    principal,
    api: 'admin' as const,
    ...extra,
  }
  const { body } = await pki.administration.handlers.pki!(asked, at, signal)
  return JSON.parse(Buffer.from(body).toString())
}

/** Each link of the way from a certificate to a root that `ca` has. */
export async function checkChain(
  pki: Pki,
  { x509, chain }: { x509: X509Certificate; chain: string },
  at = start,
) {
  const trusted = parseCertificates(await text(pki, 'ca', at))
  const [intermediate] = parseCertificates(chain)
  const root = trusted.find(
    (one) =>
      intermediate!.checkIssued(one) && one.verify(one.publicKey) && intermediate!.verify(one.publicKey),
  )
  assert.ok(x509.checkIssued(intermediate!) && x509.verify(intermediate!.publicKey))
  assert.ok(root?.ca && intermediate!.ca && !x509.ca)
  return { root, intermediate: intermediate! }
}
