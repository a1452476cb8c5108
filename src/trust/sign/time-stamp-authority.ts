import { createHash, randomBytes } from 'node:crypto'
import {
  answerInvalid,
  askService,
  type ServiceLimits,
  serviceRefusal,
  serviceUrl,
} from './signing-service.ts'
import type { Witness } from './witness.ts'

const who = 'the time-stamp authority'

/** DER of AlgorithmIdentifier id-sha256 with NULL. */
const sha256Algorithm = Buffer.from('300d06096086480165030402010500', 'hex')

/**
 * A time-stamp authority (RFC 3161 over HTTP, section 3.4). It stamps the signature.
 *
 * @param url its whole URL; where it has no path, that of Sigstore's server is meant (/api/v1/timestamp)
 * @throws SIGNING_URL_INVALID
 */
export function timeStampAuthority(url: string, options: { limits?: ServiceLimits } = {}): Witness {
  const base = serviceUrl(url)
  const target = new URL(base).pathname === '/' ? `${base}/api/v1/timestamp` : base
  return {
    async testify({ signature }, { signal } = {}) {
      const digest = createHash('sha256').update(signature).digest()
      const nonce = randomBytes(8)
      const answer = await askService({
        who,
        url: target,
        headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
        body: formatRequest(digest, nonce),
        signal,
        ...options,
      })
      if (answer.status !== 200 && answer.status !== 201) throw serviceRefusal(who, answer)
      checkResponse(answer.bytes, digest)
      return { kind: 'time', response: answer.bytes }
    },
  }
}

/** TimeStampReq: version 1, the imprint, a nonce, and a wish for the certificate (RFC 3161 section 2.4.1). */
function formatRequest(digest: Uint8Array, nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const imprint = der(0x30, sha256Algorithm, der(0x04, digest))
  // A leading zero byte keeps the number positive; DER allows it only where it is needed.
  const positive = Buffer.concat([Buffer.from([0x7f]), nonce.subarray(1)])
  return der(0x30, der(0x02, Buffer.from([1])), imprint, der(0x02, positive), der(0x01, Buffer.from([0xff])))
}

/** One DER value of fewer than 128 bytes. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag, body.length]), body])
}

/**
 * Whether it is a granted TimeStampResp about our imprint; who verifies the signature judges the rest (the
 * authority's certificate is trusted by the reader, not by the signer).
 *
 * @throws SIGNING_SERVICE_ANSWER_INVALID
 */
function checkResponse(bytes: Uint8Array, digest: Uint8Array): void {
  const status = statusOf(bytes)
  if (status === undefined) throw answerInvalid(who, 'it is not a TimeStampResp')
  // granted, grantedWithMods (RFC 3161 section 2.4.2)
  if (status > 1) throw answerInvalid(who, `it refused with the status ${status}`)
  // The parameters of the algorithm before it may be NULL or absent.
  if (!Buffer.from(bytes).includes(Buffer.concat([Buffer.from([0x04, 32]), digest]))) {
    throw answerInvalid(who, 'it stamped something else')
  }
}

/** SEQUENCE { SEQUENCE { INTEGER status, ... }, ... } */
function statusOf(bytes: Uint8Array): number | undefined {
  const outer = bodyAt(bytes, 0)
  const info = outer === undefined ? undefined : bodyAt(bytes, outer)
  if (info === undefined || bytes[info] !== 0x02 || bytes[info + 1] !== 1) return undefined
  return bytes[info + 2]
}

/** Where the body of the SEQUENCE at `at` begins. */
function bodyAt(bytes: Uint8Array, at: number): number | undefined {
  const length = bytes[at + 1]
  if (bytes[at] !== 0x30 || length === undefined) return undefined
  return length < 0x80 ? at + 2 : at + 2 + (length & 0x7f)
}
