import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findPeer, type Peer } from './peers.ts'

export const sealiftProgram = join(import.meta.dirname, '..', '..', 'bin', 'sealift')
const commandMs = 120_000
const readyMs = 30_000

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The exit status that is right; with another one `run` throws what the program wrote. */
  readonly exit?: number | 'any'
  readonly input?: string
}

export interface Output {
  readonly stdout: string
  readonly stderr: string
}

/**
 * A folder of its own for one test file, and everything that was started in it. Disposing it stops what runs,
 * last started first, and removes the folder.
 */
export class Workbench implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'si-'))
  readonly #children: ChildProcess[] = []
  readonly #closers: (() => Promise<unknown>)[] = []
  #named = 0

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts)
  }

  /** A name below the folder that nobody has yet. */
  fresh(name: string): string {
    this.#named += 1
    return this.path(`${this.#named}-${name}`)
  }

  /** Runs before the children are stopped. */
  onClose(close: () => Promise<unknown>): void {
    this.#closers.push(close)
  }

  sealift(args: readonly string[], options: RunOptions = {}): Promise<Output> {
    return run(sealiftProgram, args, this.#at(options))
  }

  /** What `sealift ... -o json` printed. */
  async sealiftJson<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
    return JSON.parse((await this.sealift([...args, '-o', 'json'], options)).stdout) as T
  }

  /** Starts `sealift serve` or `sealift registry serve`; resolves with HOST:PORT, from the first line it prints. */
  async serve(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
    const child = this.#start(sealiftProgram, [...args, ...listen, '-o', 'json'], options)
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const [line] = (await Promise.race([once(lines, 'line'), ended(child, args)])) as [string]
    return (JSON.parse(line) as { registry: string }).registry
  }

  /** A program of this checkout, by its path in it. */
  program(path: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
    return run(join(import.meta.dirname, '..', '..', path), args, this.#at(options))
  }

  run(peer: Peer, args: readonly string[], options: RunOptions = {}): Promise<Output> {
    return run(programOf(peer), args, this.#at(options))
  }

  /** Starts a daemon whose log goes to a file in the folder; resolves when `isReady` says so. */
  async daemon(
    peer: Peer,
    args: readonly string[],
    isReady: () => Promise<boolean>,
    options: RunOptions = {},
  ): Promise<void> {
    const child = this.#start(programOf(peer), args, options)
    const log = this.fresh(`${peer}.log`)
    const file = createWriteStream(log)
    child.stdout?.pipe(file, { end: false })
    child.stderr?.pipe(file, { end: false })
    const end = performance.now() + readyMs
    while (!(await isReady().catch(() => false))) {
      if (child.exitCode !== null || performance.now() > end) {
        throw new Error(`${peer} ${child.exitCode ?? 'is not ready'}:\n${tail(readFileSync(log, 'utf8'))}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.reverse()) await close().catch((error) => console.error(String(error)))
    for (const child of this.#children.reverse()) await stop(child)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #start(program: string, args: readonly string[], options: RunOptions): ChildProcess {
    const { cwd, env } = this.#at(options)
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.push(child)
    child.stderr?.resume()
    return child
  }

  #at(options: RunOptions): RunOptions {
    // What is installed, and what this machine's user set up, stays out of it.
    const env = {
      SEALIFT_STATE_DIR: this.path('state'),
      XDG_CONFIG_HOME: this.path('config'),
      ...options.env,
    }
    return { cwd: this.folder, ...options, env }
  }
}

/** A port that was free a moment ago, for peers that cannot say which one the kernel gave them. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Runs a program to its end. What it printed is in the error where it ends with another status than it should. */
export async function run(
  program: string,
  args: readonly string[],
  { env, cwd, exit = 0, input }: RunOptions = {},
): Promise<Output> {
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: commandMs,
    killSignal: 'SIGKILL',
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => {}).end(input)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  const output = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
  if (exit === 'any' || code === exit) return output
  throw new Error(
    `${program} ${args.join(' ')}: ${signal ?? code}\n${tail(output.stdout)}\n${tail(output.stderr)}`,
  )
}

function programOf(peer: Peer): string {
  const program = findPeer(peer)
  if (program === undefined) throw new Error(`${peer} is not installed: sh test/peers/install.sh`)
  return program
}

async function ended(child: ChildProcess, args: readonly string[]): Promise<never> {
  const errors: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
  const [code] = await once(child, 'close')
  throw new Error(`sealift ${args.join(' ')} ended with ${code}\n${Buffer.concat(errors)}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exit
  clearTimeout(killer)
}

const tail = (text: string) => text.slice(-3_000)
