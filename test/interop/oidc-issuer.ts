import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Workbench } from './workbench.ts'

/** An OIDC issuer on loopback: discovery, keys, and tokens for the asking. */
export interface OidcIssuer {
  readonly url: string
  /** A token for this e-mail address, good for ten minutes. */
  token(email: string, more?: Readonly<Record<string, unknown>>): string
}

/** OpenID Connect Discovery 1.0, and RFC 7517 for the keys. */
export async function startOidcIssuer(bench: Workbench): Promise<OidcIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomUUID()
  const server = createServer((request, response) => {
    const documents: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': {
        issuer: url,
        jwks_uri: `${url}/keys`,
        authorization_endpoint: `${url}/auth`,
        token_endpoint: `${url}/token`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      },
      '/keys': { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
    }
    const document = documents[request.url ?? '']
    response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(document ?? {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  bench.onClose(async () => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url,
    token(email, more = {}) {
      const now = Math.floor(Date.now() / 1000)
      const claims = {
        iss: url,
        aud: 'sigstore',
        iat: now,
        exp: now + 600,
        sub: email,
        email,
        email_verified: true,
        ...more,
      }
      const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const text = `${part({ alg: 'RS256', kid, typ: 'JWT' })}.${part(claims)}`
      return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
    },
  }
}
