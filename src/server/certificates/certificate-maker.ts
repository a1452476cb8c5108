import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createAuthority, openAuthority, publicKeyOf } from '#keys/index.ts'
import type { CertificateMaker } from './certificate-state.ts'

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/** P-256 throughout: every API server verifies it. */
export const certificateMaker: CertificateMaker = {
  authority: async ({ from, until }) => {
    const key = newKey()
    // Told apart by its moment: two authorities of one name and different keys would confuse whoever builds chains.
    const commonName = `Sealift admission ${from.toISOString()}`
    const made = await createAuthority({
      subject: { commonName },
      key,
      pathLength: 0,
      notBefore: from,
      notAfter: until,
    })
    return { certificate: made.certificate.pem, key: pemOf(key) }
  },
  serving: async (authority, { from, until }, { hostnames, addresses }) => {
    const key = newKey()
    const by = openAuthority(authority.certificate, createPrivateKey(authority.key))
    const { pem } = await by.issue({
      subject: { commonName: 'Sealift admission' },
      publicKey: publicKeyOf(key),
      usages: ['server'],
      dnsNames: hostnames,
      ipAddresses: addresses,
      // Not before its authority, whose times are whole seconds.
      notBefore: new Date(Math.max(from.getTime(), by.validity.notBefore.getTime())),
      notAfter: new Date(Math.min(until.getTime(), by.validity.notAfter.getTime())),
    })
    return { certificate: pem, key: pemOf(key) }
  },
}
