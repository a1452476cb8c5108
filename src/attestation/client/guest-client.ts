import { type AttestationLimits, attestationLimits, isFailure, SealiftError } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { JsonObject } from '../members.ts'
import {
  formatAttestationRequest,
  formatAuthRequest,
  type InitData,
  type ProtocolVersion,
  parseChallenge,
  parseErrorBody,
  parseTokenResponse,
} from '../messages/index.ts'
import { primaryReportData } from '../report-data.ts'
import { sampleEvidence } from '../sample/verify.ts'
import { decryptResponse, type TeeKeyPair } from '../tee-key/index.ts'
import type { Tee } from '../types.ts'
import { CookieJar } from './cookie-jar.ts'

/** What makes evidence for report data; of the sample TEE where nothing else is given. */
export type Attester = (reportData: Uint8Array) => Promise<JsonObject>

export interface GuestClientOptions {
  /** The broker's address, without `/kbs/v0`. */
  readonly url: string
  /** Made by `generateTeeKey`, of a kind that the version knows. */
  readonly keyPair: TeeKeyPair
  readonly version?: ProtocolVersion
  readonly tee?: Tee
  readonly attester?: Attester
  readonly initData?: InitData
  /** undici's, or anything of its form. */
  readonly fetch: typeof globalThis.fetch
}

/** A guest's view of a key broker. Not for several requests at once: each has to see the session of the one before. */
export interface GuestClient {
  /** Proves itself, in a new session. @returns the token */
  attest(signal?: AbortSignal): Promise<string>
  /**
   * What lies at a path (`resource/default/key/one`, with a query where there is one), decrypted. Attests first where
   * that is needed, and again where the broker asks for it, up to three times as Trustee's guests do.
   */
  get(path: string, signal?: AbortSignal): Promise<Uint8Array>
}

/** How often a guest asks for one thing. */
const mostAttempts = 3

/**
 * @throws RCAR_REFUSED, RCAR_NOT_FOUND, RCAR_FAILED, RESPONSE_UNREADABLE from its methods
 */
export function guestClient(
  {
    url,
    keyPair,
    version = '0.4.0',
    tee = 'sample',
    attester = async (reportData) => sampleEvidence(reportData),
    initData,
    fetch,
  }: GuestClientOptions,
  limits: AttestationLimits = attestationLimits,
): GuestClient {
  const base = `${url.replace(/\/+$/, '')}/kbs/v0/`
  const cookies = new CookieJar()

  async function ask(path: string, body: Uint8Array | undefined, signal?: AbortSignal): Promise<Uint8Array> {
    const cookie = cookies.header()
    const response = await reach(signal, () =>
      fetch(base + path, {
        method: body ? 'POST' : 'GET',
        redirect: 'error',
        headers: {
          ...(body && { 'content-type': 'application/json' }),
          ...(cookie !== undefined && { cookie }),
        },
        ...(body && { body: Buffer.from(body) }),
        ...(signal && { signal }),
      }),
    )
    const bytes = await reach(signal, () => readBody(response, limits.answerBytes))
    cookies.take(response.headers.getSetCookie())
    if (response.status !== 200) throw refusal(response.status, bytes, limits)
    return bytes
  }

  async function attest(signal?: AbortSignal): Promise<string> {
    const { nonce } = parseChallenge(await ask('auth', formatAuthRequest({ version, tee }), signal), limits)
    const data = { nonce, teePubkey: keyPair.jwk, additionalEvidence: '' }
    const primaryEvidence = { ...(await attester(primaryReportData(version, tee, data))) }
    const request = { ...data, primaryEvidence, ...(initData && { initData }) }
    return parseTokenResponse(await ask('attest', formatAttestationRequest(request, version), signal), limits)
  }

  return {
    attest,
    async get(path, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          return decryptResponse(keyPair, await ask(path, undefined, signal), version, limits)
        } catch (error) {
          const canHelp = isFailure(error, 'RCAR_REFUSED') && error.detail.status === 401
          if (!canHelp || attempt > mostAttempts) throw error
          await attest(signal)
        }
      }
    },
  }
}

/** Whatever goes wrong on the way is one failure with a cause; an abort stays what it is. */
async function reach<T>(signal: AbortSignal | undefined, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    if (cause instanceof SealiftError || signal?.aborted) throw cause
    throw failure('RCAR_FAILED', 'the key broker cannot be reached', { cause })
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > maxBytes) {
      throw failure('RCAR_FAILED', `the answer of the key broker is over the limit of ${maxBytes} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function refusal(status: number, bytes: Uint8Array, limits: AttestationLimits): SealiftError {
  const told = toldBy(bytes, limits)
  const text = told ? `${told.type}: ${told.detail}` : `it answers ${status}`
  const detail = { status, ...(told && { type: told.type }) }
  if (status === 404) return failure('RCAR_NOT_FOUND', text, { detail })
  if (status === 401 || status === 403) return failure('RCAR_REFUSED', text, { detail })
  return failure('RCAR_FAILED', text, { detail })
}

/** What a broker says in Trustee's form, in few characters and without controls: it goes to a terminal. */
function toldBy(bytes: Uint8Array, limits: AttestationLimits) {
  try {
    const { type, detail } = parseErrorBody(bytes, limits)
    return { type: plain(type), detail: plain(detail) }
  } catch (error) {
    if (!isFailure(error)) throw error
    return undefined
  }
}

const plain = (text: string) => text.slice(0, 500).replaceAll(/\p{C}/gu, '?')
