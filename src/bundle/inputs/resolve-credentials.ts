import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { limits } from '#base/index.ts'
import type { CallOptions } from '#content/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import type { CredentialSet, CredentialSource } from './credential-set.ts'
import { appliesTo } from './resolve-parameters.ts'

/** The ways to the sources of credentials. They are only ever read. */
export interface CredentialReaders {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The content of a file, at most `maxBytes`. */
  readFile(path: string, maxBytes: number, options: CallOptions): Promise<Uint8Array>
  /** What a shell command writes to its standard output, at most `maxBytes`. */
  run(command: string, maxBytes: number, options: CallOptions): Promise<Uint8Array>
}

/**
 * The credentials of an action, by name, as bytes (101, 802). Sets count in their order: the first that names a
 * credential gives it. For a stateless action none is ever missing (101).
 *
 * @throws CREDENTIAL_MISSING, CREDENTIAL_SOURCE; never with the value in the message, the detail or the cause
 */
export async function resolveCredentials(
  bundle: CnabBundle,
  action: { readonly name: string; readonly stateless: boolean },
  sets: readonly CredentialSet[],
  readers: CredentialReaders = machineReaders,
  options: CallOptions = {},
): Promise<Map<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>()
  const missing: string[] = []
  for (const [name, credential] of Object.entries(bundle.credentials ?? {})) {
    if (!appliesTo(credential, action.name)) continue
    const source = sets.map(({ sources }) => sources.get(name)).find((found) => found !== undefined)
    if (source) {
      const value = await read(name, source, readers, options).catch((error: unknown) => {
        if (action.stateless && !options.signal?.aborted) return undefined
        throw error
      })
      if (value) values.set(name, value)
    } else if (credential.required && !action.stateless) missing.push(name)
  }
  if (missing.length > 0) {
    throw failure('CREDENTIAL_MISSING', `${action.name} needs the credential ${missing.join(', ')}`, {
      detail: { credentials: missing },
    })
  }
  return values
}

async function read(
  name: string,
  source: CredentialSource,
  readers: CredentialReaders,
  options: CallOptions,
): Promise<Uint8Array> {
  const fail = (why: string) =>
    failure('CREDENTIAL_SOURCE', `the credential ${name} cannot be read: ${why}`, {
      detail: { credential: name, kind: source.kind },
    })
  options.signal?.throwIfAborted()
  let bytes: Uint8Array
  try {
    switch (source.kind) {
      case 'value':
        return Buffer.from(source.value)
      case 'env': {
        const value = Object.hasOwn(readers.env, source.name) ? readers.env[source.name] : undefined
        if (value === undefined) throw fail('its variable is not set')
        return Buffer.from(value)
      }
      case 'path':
        bytes = await readers.readFile(source.path, limits.credentialBytes + 1, options)
        break
      case 'command':
        bytes = withoutNewline(await readers.run(source.command, limits.credentialBytes + 1, options))
    }
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason
    const { code } = (error ?? {}) as { code?: unknown }
    if (code === 'CREDENTIAL_SOURCE') throw error
    // The cause is dropped on purpose: a command's error may quote its output.
    throw fail(source.kind === 'path' ? `its file cannot be read (${code})` : 'its command failed')
  }
  if (bytes.length > limits.credentialBytes) throw fail(`it has more than ${limits.credentialBytes} bytes`)
  return bytes
}

/** As a shell does for `$(command)`. */
function withoutNewline(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0x0a) end--
  return bytes.subarray(0, end)
}

/** This machine's environment, files and shell. */
export const machineReaders: CredentialReaders = {
  env: process.env,
  async readFile(path, maxBytes, { signal }) {
    await using file = await open(path, 'r')
    const chunks: Uint8Array[] = []
    let size = 0
    while (size < maxBytes) {
      signal?.throwIfAborted()
      const buffer = new Uint8Array(Math.min(64 * 1024, maxBytes - size))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) break
      chunks.push(buffer.subarray(0, bytesRead))
      size += bytesRead
    }
    return Buffer.concat(chunks)
  },
  run(command, maxBytes, { signal }) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      // A group of its own, so that what the shell started ends with it.
      const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
      const stop = () => {
        const isRunning = child.exitCode === null && child.signalCode === null
        if (child.pid !== undefined && isRunning) process.kill(-child.pid, 'SIGKILL')
        child.stdout.destroy()
      }
      signal?.addEventListener('abort', stop, { once: true })
      const chunks: Buffer[] = []
      let size = 0
      child.stdout.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size >= maxBytes) stop()
      })
      child.on('error', reject)
      child.on('close', (code) => {
        signal?.removeEventListener('abort', stop)
        if (code === 0 || size >= maxBytes) resolve(Buffer.concat(chunks).subarray(0, maxBytes))
        else reject(signal?.aborted ? signal.reason : new Error('the command failed'))
      })
    })
  },
}
