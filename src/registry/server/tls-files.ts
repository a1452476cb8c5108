import { createSecureContext } from 'node:tls'
import { failure } from './codes.ts'

export interface TlsFiles {
  readonly cert: Buffer
  readonly key: Buffer
}

/** Proves that certificate and key belong together before they are used. @throws TLS_FILES_INVALID */
export function parseTlsFiles([cert, key]: readonly Buffer[]): TlsFiles {
  try {
    const files = { cert: cert ?? Buffer.alloc(0), key: key ?? Buffer.alloc(0) }
    createSecureContext({ ...files, minVersion: 'TLSv1.2' })
    if (!files.cert.includes('BEGIN CERTIFICATE')) throw new Error('there is no certificate in the file')
    return files
  } catch (cause) {
    throw failure('TLS_FILES_INVALID', 'the TLS certificate and key cannot be used', { cause })
  }
}
