import { resolve } from 'node:path'
import { fetchJwkSet, parseJwkSet, type TokenTrust, verifyToken } from '#attestation/index.ts'
import { attestationLimits, type Json, jsonAt } from '#base/index.ts'
import { parseCertificates } from '#keys/index.ts'
import { isLoopback } from '#oci/index.ts'
import { brokerFetch } from '../broker/broker-fetch.ts'
import { readFileOrInput } from '../broker/file-or-input.ts'
import { failure } from '../codes.ts'
import type { TokenVerifyFlags } from '../commands/token-verify.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { oneLine, print } from '../shell/print.ts'

export async function run(this: Context, flags: TokenVerifyFlags, file: string): Promise<void> {
  await using session = await openSession(this, flags)
  const trust = await trustOf(this, flags, session.signal)
  const bytes = await readFileOrInput(this, file, attestationLimits.tokenLength + 2)
  const { claims, expires } = verifyToken(Buffer.from(bytes).toString().trim(), trust, new Date())
  const told = {
    issuer: typeof claims.iss === 'string' ? claims.iss : null,
    expires: expires.toISOString(),
    submods: submodsOf(claims as Json),
  }
  print(this, session.format, { ...told, claims }, () =>
    [
      `issued by ${oneLine(told.issuer ?? 'nobody who is named')}, until ${told.expires}`,
      ...told.submods.map(({ name, status, policy, initDataDigest }) =>
        oneLine(
          `${name}: ${status}, by the policy ${policy}${initDataDigest === undefined ? '' : `, started with ${initDataDigest}`}`,
        ),
      ),
    ].join('\n'),
  )
}

async function trustOf(
  context: Context,
  { jwks, certificate, issuer }: TokenVerifyFlags,
  signal: AbortSignal,
): Promise<TokenTrust> {
  if (jwks === undefined && certificate === undefined)
    throw failure('USAGE', 'whose tokens are good? Name a JWK set or certificates (--jwks, --certificate)')
  return {
    ...(jwks !== undefined && { keys: parseJwkSet(await readJwks(context, jwks, signal)) }),
    ...(certificate !== undefined && {
      certificates: parseCertificates(
        Buffer.from(
          await readWhole(resolve(context.cwd, certificate), attestationLimits.jwkSetBytes),
        ).toString(),
      ),
    }),
    ...(issuer !== undefined && { issuer }),
  }
}

/** Whoever can change a JWK set on its way can make tokens, so over a network it is fetched by HTTPS. */
async function readJwks(context: Context, place: string, signal: AbortSignal): Promise<Uint8Array> {
  if (!/^https?:\/\//.test(place))
    return readWhole(resolve(context.cwd, place), attestationLimits.jwkSetBytes)
  const url = new URL(place)
  if (url.protocol !== 'https:' && !isLoopback(url.host))
    throw failure('USAGE', `${place} is not fetched over plain HTTP: keys are fetched by HTTPS`)
  return fetchJwkSet(url, { fetch: brokerFetch(context.env), signal })
}

/** What a token says of each TEE. Whoever issued it is trusted; its text still goes to a terminal. */
function submodsOf(claims: Json) {
  const submods = jsonAt(claims, '/submods')
  if (typeof submods !== 'object' || submods === null || Array.isArray(submods)) return []
  return Object.entries(submods).map(([name, submod]) => {
    const at = (pointer: string) => jsonAt(submod, pointer)
    const digest = at('/ear.veraison.annotated-evidence/init_data')
    return {
      name,
      status: textOf(at('/ear.status')),
      policy: textOf(at('/ear.appraisal-policy-id')),
      ...(typeof digest === 'string' && { initDataDigest: digest }),
    }
  })
}

const textOf = (value: Json | undefined) => (typeof value === 'string' ? value : String(value ?? 'unknown'))
