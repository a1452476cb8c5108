import { spawn } from 'node:child_process'
import { parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Credential } from './credential.ts'

/** Runs a program with one argument, `get`, and a text on its standard input. */
export type RunHelper = (
  program: string,
  input: string,
  bounds: {
    readonly timeoutMs: number
    readonly maxBytes: number
    readonly signal?: AbortSignal | undefined
  },
) => Promise<{ readonly exitCode: number; readonly stdout: Uint8Array }>

export interface HelperQuestion {
  readonly name: string
  /** What the helper knows the registry by. */
  readonly server: string
  readonly run: RunHelper
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Asks `docker-credential-NAME` (docker/docker-credential-helpers); undefined where it knows none.
 *
 * @throws CREDENTIAL_HELPER_FAILED, never with what the helper said
 */
export async function askHelper({
  name,
  server,
  run,
  timeoutMs,
  maxBytes,
  signal,
}: HelperQuestion): Promise<Credential | undefined> {
  const fail = (why: string, cause?: unknown) =>
    failure(
      'CREDENTIAL_HELPER_FAILED',
      `docker-credential-${name} ${why}`,
      cause === undefined ? {} : { cause },
    )
  if (!/^[a-z0-9._-]{1,64}$/.test(name)) {
    throw failure('CREDENTIAL_HELPER_FAILED', 'the configured credential helper has no valid name')
  }
  const { exitCode, stdout } = await run(`docker-credential-${name}`, server, {
    timeoutMs,
    maxBytes,
    signal,
  }).catch((cause) => {
    signal?.throwIfAborted()
    throw fail(
      cause instanceof Error && 'code' in cause ? `cannot be run (${cause.code})` : 'did not answer',
      cause,
    )
  })
  if (exitCode !== 0) {
    const said = Buffer.from(stdout).toString('latin1')
    // The helpers' own words for "none" (credentials/error.go).
    if (/credentials not found|no credentials (?:server|username)|not found/i.test(said)) return undefined
    throw fail(`ended with exit code ${exitCode}`)
  }
  return (
    parseHelperAnswer(stdout) ??
    (() => {
      throw fail('answered something that is not credentials')
    })()
  )
}

/** `{"ServerURL", "Username", "Secret"}`; the user `<token>` means that the secret is an identity token. */
export function parseHelperAnswer(bytes: Uint8Array): Credential | undefined {
  try {
    const answer = parseJson(bytes, { maxBytes: bytes.length })
    const { Username: username, Secret: secret } = isObject(answer) ? answer : {}
    if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined
    return username === '<token>' ? { identityToken: secret } : { username, password: secret }
  } catch {
    return undefined
  }
}

/** The real one: no shell, bounded in time and output. */
export const runHelper: RunHelper = (program, input, { timeoutMs, maxBytes, signal }) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(signal && { signal }),
    })
    const chunks: Buffer[] = []
    let sizeBytes = 0
    child.stdout.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length
      if (sizeBytes <= maxBytes) chunks.push(chunk)
      else child.kill('SIGKILL')
    })
    child.on('error', reject)
    // A helper that does not read its input is its own affair.
    child.stdin.on('error', () => {})
    child.on('close', (exitCode) => {
      if (exitCode === null) reject(new Error('the helper was killed: too slow, or too much output'))
      else resolve({ exitCode, stdout: Buffer.concat(chunks) })
    })
    child.stdin.end(`${input}\n`)
  })
