import { failure } from './codes.ts'

export interface ListenAddress {
  /** Absent: all addresses of the machine. */
  readonly host?: string
  readonly port: number
}

/** Reads HOST:PORT, [IPV6]:PORT or :PORT. @throws LISTEN_ADDRESS_INVALID */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) {
    throw failure('LISTEN_ADDRESS_INVALID', `${JSON.stringify(text.slice(0, 100))} is not HOST:PORT`)
  }
  const host = match[1] ?? match[2]
  return host ? { host, port } : { port }
}
