import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { peerOf } from './peer-rates.ts'

/** What is the same for all requests of a connection. */
export interface Connection {
  readonly address: string
  /** Whom the rates are of. */
  readonly peer: string
  /** The certificate whose key the peer proved to hold in the handshake (RFC 8446 section 4.4.3), whoever issued it. */
  readonly certificate?: X509Certificate
  /** Whether it leads to the listener's own authority. */
  readonly authorized: boolean
}

const known = new WeakMap<Socket, Connection>()

export function connectionOf(socket: Socket): Connection {
  const found = known.get(socket)
  if (found) return found
  const address = socket.remoteAddress ?? ''
  const tls = 'getPeerX509Certificate' in socket ? (socket as TLSSocket) : undefined
  // Without a request for certificates there is none; with one, the handshake fails unless its key was proved.
  const certificate = tls?.getPeerX509Certificate()
  const connection = {
    address,
    peer: peerOf(address),
    ...(certificate && { certificate }),
    authorized: tls?.authorized === true,
  }
  known.set(socket, connection)
  return connection
}
