// `npm run demo`: a real application is built, packed into one file, carried over a gap, and served, relocated,
// installed, upgraded and uninstalled where there is no internet. Everything is done by the public commands; each
// is printed before it runs.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { stringify } from 'yaml'
import { detectDrivers } from '#bundle/index.ts'
import { gapCommand } from './gap.ts'
import { table } from './lines.ts'
import { projectFile } from './project.ts'
import { Stage } from './stage.ts'

const begun = performance.now()
const here = import.meta.dirname
const sealift = join(here, '..', 'bin', 'sealift')
const work = mkdtempSync(join(tmpdir(), 'sealift-demo-'))
const near = join(work, 'near')
const far = join(work, 'far')
const handedOver = join(work, 'near-side.json')
for (const folder of [near, far]) mkdirSync(folder)

const namespaces = detectDrivers().find(({ name }) => name === 'namespaces')
if (!namespaces?.available) {
  console.log(`This machine cannot run containers without an engine: ${namespaces?.why}`)
  console.log('The demo packs, carries, verifies and relocates, but cannot install; it will exit non-zero.\n')
}

const stage = new Stage(sealift, near)
let exitCode = 1
try {
  exitCode = await main()
} finally {
  await stage.stopServers()
  // The application keeps its root directory in there; a run that failed leaves it to be looked at.
  if (exitCode === 0) rmSync(work, { recursive: true, force: true })
  else console.log(`what is left of it: ${work}`)
}
process.exit(exitCode)

async function main(): Promise<number> {
  stage.title('1. The vendor builds: two images from nothing, and a bundle')
  const registry = await stage.serve([
    'registry',
    'serve',
    './registry',
    '--listen',
    '127.0.0.1:0',
    '-o',
    'json',
  ])
  await build({
    entryPoints: [join(here, 'run-tool', 'main.ts')],
    outfile: join(near, 'run'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    // Node takes a file without an extension for what its syntax says it is.
    banner: {
      js: "#!/usr/local/bin/node\nimport { createRequire } from 'node:module'; const require = createRequire('/');",
    },
    logLevel: 'error',
  })
  copyFileSync(join(here, 'app', 'server.mjs'), join(near, 'server.mjs'))
  writeFileSync(join(near, 'sealift.yaml'), stringify(projectFile(`${registry}/vendor`)))
  const built = JSON.parse(await stage.run(['build', '-o', 'bundle.json', '--format', 'json'])) as {
    pinned: { path: string; to: string }[]
  }
  for (const { path, to } of built.pinned) console.log(`  ${path} is ${to}`)

  stage.title('2. The vendor packs it into one file')
  await stage.run(['pack', 'bundle.json', '-o', 'app.tgz'])

  stage.title('3. The vendor signs it, and numbers the release')
  process.env.SEALIFT_PASSWORD = 'only for this demo'
  await stage.run(['key', 'generate', '--type', 'ed25519', '--out', 'vendor'])
  await stage.run(['sign', 'app.tgz', '--key', 'vendor.key'])
  const release = ['release', 'sign', 'app.tgz', '--product', 'hello', '--next-by', '30d']
  await stage.run([...release, '--key', 'vendor.key'])
  delete process.env.SEALIFT_PASSWORD

  stage.title('4. It crosses: the registry is stopped, and the far side gets one file')
  await stage.stopServers()
  copyFileSync(join(near, 'app.tgz'), join(far, 'app.tgz'))
  // The key went ahead, once and on another way: with it and a policy the far side trusts nothing else.
  copyFileSync(join(near, 'vendor.pub'), join(far, 'vendor.pub'))
  copyFileSync(join(here, 'trust.yaml'), join(far, 'trust.yaml'))
  const carried = statSync(join(far, 'app.tgz')).size
  writeFileSync(handedOver, JSON.stringify({ begun: Date.now() }))
  const gap = gapCommand()
  console.log(`  the far side has ${gap.network}, an empty environment, and ${far}/app.tgz`)
  const report = join(work, 'far-side.json')
  const install = namespaces?.available ? 'yes' : 'no'
  const code = await inGap([
    ...gap.command,
    process.execPath,
    join(here, 'far-side.ts'),
    sealift,
    far,
    report,
    install,
  ])
  const after = code === 0 || code === 3 ? readReport(report) : undefined

  if (after?.receipt) {
    stage.title('10. The vendor reads the receipt, which came back as a QR code')
    writeFileSync(join(near, 'receipt'), after.receipt.text)
    await stage.run([
      'receipt',
      'verify',
      'receipt',
      '--log-key',
      after.receipt.verifierKey,
      '--content',
      'app.tgz',
    ])
  }

  stage.title('Every digest, before and after')
  const rows = built.pinned.map(({ to }) => {
    const [name = '', digest = ''] = to.split('@')
    const found = after?.digests.find(({ path }) => name.split(':')[1]?.includes(path) || name.includes(path))
    return [
      name.slice(name.indexOf('/') + 1),
      digest.slice(0, 19),
      found?.digest.slice(0, 19) ?? '-',
      digest === found?.digest ? 'the same' : 'NOT the same',
    ]
  })
  console.log(table(['image', 'near', 'far', ''], rows))
  console.log(`\ncarried: one file of ${carried} bytes\n`)
  console.log(
    table(
      ['step', 'seconds'],
      [...stage.times, ...(after?.times ?? [])].map(([name, ms]) => [name, (ms / 1000).toFixed(2)]),
    ),
  )
  console.log(`\nin all ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  const same = rows.length > 0 && rows.every((row) => row[3] === 'the same')
  return code === 0 && same ? 0 : 1
}

interface FarReport {
  readonly digests: readonly { readonly path: string; readonly digest: string }[]
  readonly times: readonly [string, number][]
  readonly receipt?: { readonly text: string; readonly verifierKey: string }
}

function readReport(path: string): FarReport {
  return JSON.parse(spawnSync('cat', [path], { encoding: 'utf8' }).stdout) as FarReport
}

/** Runs the far side with nothing of this one's environment. */
function inGap([program, ...args]: string[]): Promise<number | null> {
  const child = spawn('env', ['-i', `PATH=${process.env.PATH}`, `HOME=${far}`, program as string, ...args], {
    cwd: far,
    stdio: 'inherit',
  })
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
}
