import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { abortable } from '../abortable.ts'
import { hostName, isLoopback } from '../hosts.ts'

export type Scheme = 'https:' | 'http:'

/** Tells how to talk to a host. */
export type SchemeOf = (host: string, signal?: AbortSignal) => Promise<Scheme>

/**
 * The rule: a host that is named in `plainHttp` is spoken to in plain HTTP; on loopback, a TLS handshake is tried,
 * and only where the port does not speak TLS at all it is plain HTTP (a certificate that is not trusted is no reason);
 * all others get HTTPS. Asked once per host, and remembered.
 */
export function schemes(plainHttp: readonly string[], connectMs: number): SchemeOf {
  const known = new Map<string, Promise<Scheme>>()
  return (host, signal) => {
    if (plainHttp.includes(host)) return Promise.resolve('http:')
    if (!isLoopback(host)) return Promise.resolve('https:')
    let scheme = known.get(host)
    if (!scheme) {
      scheme = speaksTls(host, connectMs).then((tls) => (tls ? 'https:' : 'http:'))
      known.set(host, scheme)
      // Nobody listens (yet): that is not remembered.
      scheme.catch(() => known.delete(host))
    }
    return abortable(scheme, signal)
  }
}

/** Whether there is TLS behind the port, whoever it is; rejects where nobody listens. */
function speaksTls(host: string, connectMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const name = hostName(host)
    const port = Number(/:(\d+)$/.exec(host)?.[1] ?? 443)
    const plain = connectPlain({ host: name, port })
    plain.setTimeout(connectMs, () => plain.destroy(new Error('no answer in time')))
    plain.once('error', reject)
    plain.once('connect', () => {
      plain.off('error', reject)
      // Nothing is said over this connection, so it does not matter whose certificate it shows.
      const secure = connectTls({ socket: plain, rejectUnauthorized: false }, () => {
        resolve(true)
        secure.destroy()
      })
      // A TLS peer that does not like us (it wants a certificate, say) answers with an alert, which is TLS as well.
      secure.once('error', (error: NodeJS.ErrnoException) => {
        resolve(/ALERT/i.test(`${error.code} ${error.message}`))
        secure.destroy()
      })
      secure.once('close', () => resolve(false))
    })
  })
}
