// `npm run interop`: what real peers say of what Sealift writes, and what Sealift says of theirs.
// With arguments: only the files whose path contains one of them. A missing peer is skipped and named, unless
// CI=true or SEALIFT_INTEROP=all.
import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imagesVariable, makeImages } from './images.ts'
import { everyPeerRequired, missingPeers, peerNames } from './peers.ts'

const longestMs = 12 * 60_000
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
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const leave = () => {
  rmSync(work, { recursive: true, force: true, maxRetries: 5 })
  process.exit(1)
}
for (const signal of signals) process.once(signal, leave)
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
  const images = await makeImages(work).catch((error: unknown) => {
    if (missing.length === 0) throw error
    console.error(`interop: no images, so nothing that needs them is tested: ${error}`)
  })
  if (images !== undefined) console.log(`interop: images made in ${seconds()}`)
  return await runFiles({ ...(images === undefined ? {} : { [imagesVariable]: images }) })
}

/** Runs the files one after the other, in a process group that is ended with everything that is left in it. */
async function runFiles(env: Readonly<Record<string, string>>): Promise<number> {
  const args = ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files]
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
  for (const signal of signals) {
    process.removeListener(signal, leave).once(signal, () => endGroup('SIGTERM'))
  }
  const tooLong = setTimeout(() => {
    console.error(`interop: not done after ${seconds()}`)
    endGroup('SIGKILL')
  }, longestMs)
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('exit', resolve),
  )
  clearTimeout(tooLong)
  endGroup('SIGKILL')
  return code ?? 1
}
