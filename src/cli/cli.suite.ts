import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { runCommandLine } from './app.ts'
import type { Context } from './context.ts'

export interface Ran {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** What is typed at a terminal; without it there is none. */
  /** Told what the command prints, as it prints it. */
  readonly onOutput?: (text: string) => void
  readonly askHidden?: (question: string) => Promise<string | undefined>
}

/** Nothing of the machine's own configuration gets into a test. */
const bare = (cwd: string) => ({ HOME: cwd, PATH: process.env.PATH ?? '', SEALIFT_STATE_DIR: `${cwd}/state` })

/** A command line in this process. */
export async function runHere(args: readonly string[], options: RunOptions): Promise<Ran> {
  const { cwd, env = {}, signal = new AbortController().signal, onOutput, askHidden } = options
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const into = (chunks: Uint8Array[], onWrite?: (text: string) => void) => ({
    write: (data: string | Uint8Array) => {
      chunks.push(Buffer.from(data as string))
      onWrite?.(String(data))
    },
  })
  const context: Context = {
    process: { stdout: into(out, onOutput), stderr: into(err) },
    env: { ...bare(cwd), ...env },
    cwd,
    signal,
    ...(askHidden && { askHidden }),
  }
  await runCommandLine(args, context)
  return {
    exitCode: Number(context.process.exitCode ?? 0),
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
  }
}

const program = fileURLToPath(new URL('../../bin/sealift', import.meta.url))

/** `bin/sealift` as a process of its own. */
export function start(
  args: readonly string[],
  { cwd, env = {} }: RunOptions,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(program, args, {
    cwd,
    env: { ...bare(cwd), ...cache(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Compiled files are shared with other runs, so that a process starts as it does for a user. */
const cache = () => ({ XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? `${process.env.HOME ?? '/tmp'}/.cache` })

/** Such a process up to its end. */
export async function runProcess(args: readonly string[], options: RunOptions): Promise<Ran> {
  const child = start(args, options)
  const [stdout, stderr, exitCode] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1))),
  ])
  return { exitCode, stdout, stderr }
}

async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** The first line that a process prints. */
export async function firstLine(stream: Readable): Promise<string> {
  let seen = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    seen += String(chunk)
    if (seen.includes('\n')) break
  }
  return seen.split('\n')[0] ?? ''
}
