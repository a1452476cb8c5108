import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findPeer } from './peers.ts'
import { freePort } from './workbench.ts'

/** A PostgreSQL server of its own, on a loopback port, with its data in a folder that goes with it. */
export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  /** Breaks off whatever it is doing, as a crash does. */
  stop(): void
  /** Again, on the same port. */
  start(): void
}

export async function startPostgres(): Promise<PostgresServer> {
  const programs = dirname(findPeer('pg_ctl')!)
  // A folder at the top: the server does not run as root, and a folder of the workbench is root's alone.
  const folder = mkdtempSync(join(tmpdir(), 'sealift-pg-'))
  const data = join(folder, 'data')
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    const [uid, gid] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, 'postgres'])))
    chownSync(folder, uid!, gid!)
  }
  const user = isRoot ? 'postgres' : execFileSync('id', ['-un']).toString().trim()
  const run = (program: string, ...args: readonly string[]) => {
    const command = [join(programs, program), ...args]
    const all = isRoot ? ['runuser', '-u', user, '--', ...command] : command
    execFileSync(all[0]!, all.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder, timeout: 60_000 })
  }
  const port = await freePort()
  run('initdb', '-D', data, '-A', 'trust', '-U', user, '--no-instructions')
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`
  let isUp = false
  const start = () => {
    run('pg_ctl', '-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start')
    isUp = true
  }
  const stop = () => {
    run('pg_ctl', '-D', data, '-w', '-m', 'immediate', 'stop')
    isUp = false
  }
  start()
  return {
    url: `postgres://${user}@127.0.0.1:${port}/postgres`,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      if (isUp) stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
