import { generateKeyPairSync } from 'node:crypto'
import { formatPem } from '#keys/index.ts'
import { certificateRequest } from '../../support/certificate-request.ts'
import { guest, open, request } from '../../support/pki-scene.ts'
import type { FuzzTarget } from '../targets.ts'

const pki = open()
const requests = (['ed25519', 'ec'] as const).map((type) => {
  const key =
    type === 'ec'
      ? generateKeyPairSync(type, { namedCurve: 'P-256' }).privateKey
      : generateKeyPairSync(type).privateKey
  return certificateRequest(key, {
    dns: ['a.shop.example', 'B.shop.example'],
    ip: ['10.1.2.3'],
    commonName: 'a',
  })
})

const permitted = /^([a-z0-9-]+|ada\.guests)\.shop\.example$/

/** What the PKI was asked for: never a name that its profile does not have. */
function wished(asked: Parameters<typeof request>): string {
  const told = pki.plugin.policyData!(request(...asked)).pki as {
    dns: string[]
    identity: string
    key: string
  }
  if (!told.dns.every((name) => permitted.test(name) && !name.startsWith('xn--')))
    throw new Error(`a name that is not permitted: ${told.dns}`)
  if (told.identity !== 'ada') throw new Error('another identity')
  return told.key
}

export const pkiTargets: readonly FuzzTarget[] = [
  {
    name: 'pki-request',
    corpus: [...requests, ...requests.map((der) => formatPem('CERTIFICATE REQUEST', der))],
    words: ['-----', '\n', 'shop.example', '*', '\0'],
    run: (input) => wished(['POST', 'certificate', { profile: 'web' }, guest(), input]),
  },
  {
    name: 'pki-query',
    corpus: [
      'a.shop.example',
      '{identity}.guests.shop.example,A.shop.example',
      'xn--a.shop.example,10.1.2.3',
    ],
    words: [',', '.', '*', '{identity}', 'xn--', 'shop', '10.1', '::', '/'],
    run: (input) => {
      const text = new TextDecoder().decode(input)
      return wished(['GET', 'certificate', { profile: 'web', dns: text, ip: '192.0.2.7', hours: '1' }])
    },
  },
]
