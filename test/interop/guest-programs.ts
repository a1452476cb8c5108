// The guest clients of Confidential Containers, one or two for each version of the protocol. Unlike the other peers
// they are never required: their source can be had from one place alone, which is not reachable everywhere.
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ProtocolVersion } from '#attestation/index.ts'
import { peersCache } from './peers.ts'

export interface GuestProgram {
  /** `trustee-attester` is the release's own; `kbs-guest` is a thin front of its crate that can be told more. */
  readonly name: 'trustee-attester' | 'kbs-guest'
  readonly version: ProtocolVersion
  /** Of guest-components. */
  readonly release: string
  readonly path: string
}

/** What test/peers/guest-clients.sh builds. */
export const guestReleases: Readonly<Record<ProtocolVersion, string>> = {
  '0.1.0': 'v0.9.0',
  '0.1.1': 'v0.11.0',
  '0.2.0': 'v0.13.0',
  '0.4.0': '8246e5e (main, 2026-08-20)',
}

export const noGuestPrograms = 'NOT TESTED: no guest clients here (sh test/peers/guest-clients.sh)'

/** Those that are installed, in the order of the versions. */
export function guestPrograms(): GuestProgram[] {
  const versions = Object.keys(guestReleases) as ProtocolVersion[]
  return versions
    .flatMap((version) =>
      (['trustee-attester', 'kbs-guest'] as const).map((name) => ({
        name,
        version,
        release: guestReleases[version],
        path: join(peersCache, 'bin', `${name}-${version}`),
      })),
    )
    .filter(({ path }) => isExecutable(path))
}

export interface GuestRun {
  readonly exit: number | null
  /** The resources that it got, decrypted. */
  readonly got: readonly string[]
  /** What it said of it all, without colours. */
  readonly said: string
}

export interface GuestWishes {
  readonly url: string
  /** `kbs:///repository/type/tag`; several are for `kbs-guest` alone, as is what follows but where it says more. */
  readonly paths: readonly string[]
  /** A file with the certificate that the broker's is believed by; for `trustee-attester` alone. */
  readonly certificate?: string
  /** A file in PEM. */
  readonly teeKey?: string
  readonly algorithm?: string
  /** A file in TOML. */
  readonly initData?: string
  /** A file for the token that it gets. */
  readonly saveToken?: string
  /** A file with a token for `teeKey`: it is shown, and nothing is attested. */
  readonly token?: string
  /** Whether it sends evidence of the sample device too; from 0.4.0 on, of both programs. */
  readonly sampleDevice?: boolean
  /** Seconds between two paths. */
  readonly pause?: number
}

/** Runs a guest to its end, which is after 60 seconds at most. */
export async function runGuest(program: GuestProgram, wishes: GuestWishes): Promise<GuestRun> {
  const child = spawn(program.path, argumentsOf(program, wishes), {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
    env: { RUST_LOG: 'warn', NO_COLOR: '1', ...(wishes.sampleDevice && { ENABLE_SAMPLE_DEVICE: '1' }) },
  })
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  )
  const [exit, out, said] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  // Newer releases log to the standard output, where resources are lines of base64.
  const lines = out.split('\n').filter((line) => line !== '')
  const isResource = (line: string) => /^[A-Za-z0-9+/]+={0,2}$/.test(line)
  return {
    exit,
    got: lines.filter(isResource).map((line) => Buffer.from(line, 'base64').toString()),
    said: [said, ...lines.filter((line) => !isResource(line))].join('\n'),
  }
}

function argumentsOf({ name, version }: GuestProgram, wishes: GuestWishes): string[] {
  const { url, paths, teeKey, algorithm, initData, saveToken, token, pause } = wishes
  if (name === 'trustee-attester') {
    // Releases before 0.4.0 know no addresses here, and the newest asks for `resource//A/B/C` without one.
    const path = version === '0.4.0' ? paths[0]! : paths[0]!.replace('kbs:///', '')
    const trust = wishes.certificate ? ['--cert-file', wishes.certificate] : []
    return ['--url', url, ...trust, 'get-resource', '--path', path]
  }
  return [
    ...['--url', url],
    ...(teeKey ? ['--tee-key', teeKey] : []),
    ...(algorithm ? ['--algorithm', algorithm] : []),
    ...(initData ? ['--initdata', initData] : []),
    ...(saveToken ? ['--save-token', saveToken] : []),
    ...(token ? ['--token', token] : []),
    ...(pause ? ['--pause', `${pause}`] : []),
    ...paths.flatMap((path) => ['--path', path]),
  ]
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
