// The programs to measure beside, where they are installed. Nothing is measured against a peer that is not there,
// and the report says so.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const cache =
  process.env.SEALIFT_PEERS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sealift-peers')

/** Where a program is: in the peers' cache, or on the PATH. */
export function find(program: string): string | undefined {
  const cached = join(cache, 'bin', program)
  if (existsSync(cached)) return cached
  const which = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' })
  return which.status === 0 ? which.stdout.trim() : undefined
}

/** The version that a program tells, and nothing else of what it prints. */
export function versionOf(program: string, ...args: string[]): string {
  const run = spawnSync(program, args, { encoding: 'utf8' })
  return /\bv?\d+\.\d+\.\d+/.exec(`${run.stdout}${run.stderr}`)?.[0] ?? 'of unknown version'
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** distribution 3 on a folder of its own. */
export async function startDistribution(
  program: string,
  folder: string,
): Promise<{ host: string; pid: number; stop: () => Promise<void> }> {
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const config = join(folder, 'config.yml')
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: ${folder}/data}\n  delete: {enabled: true}\nhttp: {addr: '127.0.0.1:${port}'}\n`,
  )
  const child = spawn(program, ['serve', config], {
    stdio: 'ignore',
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const host = `127.0.0.1:${port}`
  for (let attempt = 0; attempt < 100; attempt++) {
    const up = await fetch(`http://${host}/v2/`).then(
      (reply) => reply.ok,
      () => false,
    )
    if (up) {
      return {
        host,
        pid: child.pid as number,
        stop: async () => {
          child.kill('SIGTERM')
          await ended
        },
      }
    }
    await wait(50)
  }
  throw new Error('distribution did not start')
}
