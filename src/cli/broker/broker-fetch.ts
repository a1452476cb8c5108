import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { attestationLimits, limits, nodeFileSystem } from '#base/index.ts'
import { certificateFolders, certificates } from '#registry/client/index.ts'

/** Twice what a broker gives a request by default. */
const silentMs = 60_000

type Fetch = typeof globalThis.fetch

/**
 * How commands reach a broker: `fetch` with the certificates that commands use for registries. SSL_CERT_FILE and
 * `*.crt` in certs.d/HOST:PORT are authorities, `NAME.cert` and `NAME.key` there prove who asks. No redirect is
 * followed, and an answer is read up to a limit.
 *
 * The promise that it gives fails as that of `fetch` does, or with CERTIFICATES_INVALID.
 */
export function brokerFetch(
  env: Readonly<Record<string, string | undefined>>,
  maxBytes: number = attestationLimits.answerBytes,
): Fetch {
  const tls = certificates({
    env,
    files: nodeFileSystem,
    folders: certificateFolders(env),
    maxBytes: limits.credentialFileBytes,
  })
  return async (input, { method = 'GET', headers, body, signal } = {}) => {
    const url = new URL(String(input))
    const isSecure = url.protocol === 'https:'
    const bytes = body === undefined || body === null ? undefined : Buffer.from(body as Uint8Array)
    const options = {
      method,
      headers: {
        ...Object.fromEntries(new Headers(headers)),
        ...(bytes && { 'content-length': String(bytes.length) }),
      },
      // One connection for each request: a command asks a few times, and then ends.
      agent: false as const,
      timeout: silentMs,
      ...(signal && { signal }),
      ...(isSecure && { secureContext: await tls(url.host) }),
    }
    return new Promise<Response>((resolve, reject) => {
      const fail = (cause: unknown) => reject(signal?.aborted ? signal.reason : cause)
      const sent = (isSecure ? secureRequest : plainRequest)(url, options, async (reply) => {
        try {
          const parts: Buffer[] = []
          let length = 0
          for await (const part of reply) {
            length += (part as Buffer).length
            if (length > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`)
            parts.push(part as Buffer)
          }
          resolve(responseOf(reply.statusCode ?? 0, reply.rawHeaders, Buffer.concat(parts)))
        } catch (cause) {
          reply.destroy()
          fail(cause)
        }
      })
      sent.on('timeout', () => sent.destroy(new Error('the broker says nothing')))
      sent.on('error', fail)
      sent.end(bytes)
    })
  }
}

/** Cookies are several headers of one name, and stay so. */
function responseOf(status: number, rawHeaders: readonly string[], body: Buffer): Response {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!)
  const isEmpty = body.length === 0
  return new Response(isEmpty ? null : new Uint8Array(body), { status, headers })
}
