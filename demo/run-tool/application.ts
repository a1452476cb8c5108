import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import type { PulledImage } from './pull.ts'

export interface Application {
  readonly url: string
}

const pidFile = (state: string): string => `${state}/pid`

/** Starts the image's entrypoint in its own root directory, and waits until it answers. */
export async function start(
  state: string,
  image: PulledImage,
  parameters: Readonly<Record<string, string>>,
): Promise<Application> {
  const log = openSync(`${state}/log`, 'a')
  const child = spawn('/usr/sbin/chroot', [image.rootDirectory, ...image.entrypoint], {
    env: { ...image.environment, ...parameters },
    stdio: ['ignore', log, log],
    // It lives on when this run tool ends.
    detached: true,
  })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the application ended with ${code}; see ${state}/log`)))
  })
  failed.catch(() => undefined)
  await writeFile(pidFile(state), String(child.pid))
  child.unref()
  const url = `http://127.0.0.1:${parameters.PORT}/`
  for (let attempt = 0; ; attempt++) {
    const answers = fetch(url).then(
      (reply) => reply.ok,
      () => false,
    )
    if (await Promise.race([answers, failed])) return { url }
    if (attempt === 100) throw new Error(`${url} does not answer`)
    await wait(50)
  }
}

/** Ends the application that runs; says whether there was one. */
export async function stop(state: string): Promise<boolean> {
  const pid = Number(await readFile(pidFile(state), 'utf8').catch(() => '0'))
  if (!Number.isInteger(pid) || pid < 2) return false
  const alive = signal(pid, 'SIGTERM')
  for (let attempt = 0; signal(pid, 0) && attempt < 100; attempt++) await wait(50)
  signal(pid, 'SIGKILL')
  await rm(pidFile(state), { force: true })
  return alive
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}
