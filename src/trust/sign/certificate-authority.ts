import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import type { CallOptions } from '#content/index.ts'
import { type PublicKey, parsePublicKey, publicKeyOf, publicKeyPem } from '#keys/index.ts'
import { isObject } from '#oci/index.ts'
import { type IdentityTokens, subjectOfToken } from './identity-token.ts'
import type { Signatory, SignedBy } from './signatory.ts'
import {
  answerInvalid,
  answerJson,
  askService,
  type ServiceLimits,
  serviceRefusal,
  serviceUrl,
} from './signing-service.ts'

const who = 'the certificate authority'

/** A certificate is used again until so long before its end. */
const spareMs = 60_000

/**
 * Signs as somebody whom an OIDC issuer knows: with a key that lives only here, and a certificate for it from a
 * Fulcio (API v2, fulcio.proto) that is good for minutes. One key and certificate serve as long as the certificate is
 * good.
 *
 * @throws SIGNING_URL_INVALID
 */
export function keylessSignatory(options: {
  readonly fulcioUrl: string
  readonly tokens: IdentityTokens
  readonly limits?: ServiceLimits
}): Signatory {
  const url = `${serviceUrl(options.fulcioUrl)}/api/v2/signingCert`
  let current: Promise<Certified> | undefined
  const certified = async (call: CallOptions): Promise<Certified> => {
    const held = await current?.catch(() => undefined)
    if (held && held.until - spareMs > Date.now()) return held
    current = certify(url, options, call)
    return current
  }
  return {
    async sign(message, call = {}) {
      const { privateKey, by } = await certified(call)
      return { signature: sign('sha256', message, { key: privateKey, dsaEncoding: 'der' }), by }
    },
  }
}

interface Certified {
  readonly privateKey: KeyObject
  readonly by: SignedBy
  /** Milliseconds since 1970. */
  readonly until: number
}

async function certify(
  url: string,
  { tokens, limits }: { readonly tokens: IdentityTokens; readonly limits?: ServiceLimits },
  { signal }: CallOptions,
): Promise<Certified> {
  const token = await tokens.token({ signal })
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = publicKeyOf(publicKey)
  const subject = Buffer.from(subjectOfToken(token))
  const possession = sign('sha256', subject, { key: privateKey, dsaEncoding: 'der' })
  const answer = await askService({
    who,
    url,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: publicKeyPem(key) },
        proofOfPossession: possession.toString('base64'),
      },
    }),
    signal,
    ...(limits && { limits }),
  })
  if (answer.status !== 200 && answer.status !== 201) throw serviceRefusal(who, answer)
  const [leaf, ...chain] = certificatesIn(answer.bytes)
  const certificate = readCertificate(leaf as string, key)
  return {
    privateKey,
    by: { key, certificate: new Uint8Array(certificate.raw), chain },
    until: certificate.validToDate.getTime(),
  }
}

/** PEM, the leaf first. @throws SIGNING_SERVICE_ANSWER_INVALID */
function certificatesIn(bytes: Uint8Array): string[] {
  const body = answerJson(who, bytes)
  const signed = isObject(body)
    ? (body.signedCertificateEmbeddedSct ?? body.signedCertificateDetachedSct)
    : undefined
  const chain = isObject(signed) && isObject(signed.chain) ? signed.chain.certificates : undefined
  if (!Array.isArray(chain) || chain.length === 0 || !chain.every((one) => typeof one === 'string')) {
    throw answerInvalid(who, 'it holds no certificates')
  }
  return chain as string[]
}

/** @throws SIGNING_SERVICE_ANSWER_INVALID where it is no certificate, or one for another key */
function readCertificate(pem: string, key: PublicKey): X509Certificate {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
    if (parsePublicKey(pem).id === key.id) return certificate
  } catch (cause) {
    throw answerInvalid(who, 'its certificate cannot be read', cause)
  }
  throw answerInvalid(who, 'its certificate is for another key')
}
