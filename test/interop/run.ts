// `npm run interop`: what real peers say of what Sealift writes, and what Sealift says of theirs.
// With arguments: only the files whose path contains one of them. A missing peer is skipped and named, unless
// CI=true or SEALIFT_INTEROP=all.
import { spawn } from 'node:child_process'
import { chmodSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imagesVariable } from './images.ts'
import { everyPeerRequired, missingPeers, peerNames } from './peers.ts'

const longestMs = 12 * 60_000
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let interrupted = false
const begun = performance.now()
const seconds = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`

const missing = missingPeers()
if (missing.length > 0) {
  console.error(`interop: NOT INSTALLED: ${missing.join(', ')} (sh test/peers/install.sh brings them)`)
  if (everyPeerRequired) process.exit(1)
}
const wanted = process.argv.slice(2)
const files = globSync('*.interop.ts', { cwd: import.meta.dirname })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
if (files.length === 0) {
  console.error(`interop: no file matches ${wanted.join(' ')}`)
  process.exit(1)
}

// Short names: podman takes no path of more than 50 characters for what it keeps while it runs.
const work = mkdtempSync(join(tmpdir(), 'sealift-'))
// PostgreSQL runs as another user, and passes through on the way to its own folder.
chmodSync(work, 0o711)
let code: number
try {
  code = await main()
} finally {
  rmSync(work, { recursive: true, force: true, maxRetries: 5 })
}
console.log(`\ninterop: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds()}, ${files.length} files`)
console.log(`  with ${peerNames.filter((name) => !missing.includes(name)).join(', ')}`)
if (missing.length > 0) console.log(`  NOT TESTED, for want of the program: ${missing.join(', ')}`)
process.exit(code)

async function main(): Promise<number> {
  const made = await runGroup([join(import.meta.dirname, 'make-images.ts'), work])
  if (made !== 0) {
    if (interrupted || missing.length === 0) return made
    console.error('interop: NO IMAGES could be made, so nothing that needs them is tested')
  } else {
    console.log(`interop: images made in ${seconds()}`)
  }
  const images = made === 0 ? { [imagesVariable]: join(work, 'images', 'layout') } : {}
  return runGroup(['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], images)
}

/** Runs node in a process group of its own, which is ended with everything that is left in it. */
async function runGroup(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = spawn(process.execPath, args, {
    cwd: import.meta.dirname,
    env: { ...process.env, ...env, TMPDIR: work },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  const endGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid as number), signal)
    } catch {
      // Nobody is left in it.
    }
  }
  const interrupt = () => {
    interrupted = true
    endGroup('SIGTERM')
  }
  for (const signal of signals) process.on(signal, interrupt)
  const tooLong = setTimeout(
    () => {
      console.error(`interop: not done after ${seconds()}`)
      interrupted = true
      endGroup('SIGKILL')
    },
    longestMs - (performance.now() - begun),
  )
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('exit', resolve),
  )
  clearTimeout(tooLong)
  endGroup('SIGKILL')
  for (const signal of signals) process.removeListener(signal, interrupt)
  return interrupted ? 1 : (code ?? 1)
}
