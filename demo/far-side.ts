// The far side of the demo: runs in an empty environment and, where the machine allows it, in a network with nothing
// but loopback. It has one file and the tool, and knows no digest beforehand.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Stage } from './stage.ts'

const [sealift = '', folder = '', report = '', canInstall = 'no'] = process.argv.slice(2)
const stage = new Stage(sealift, folder)
const digests: { path: string; digest: string }[] = []
const policy = ['--policy', 'trust.yaml']

interface Receipt {
  readonly receipt: string
  readonly verifierKey: string
  readonly sizeBytes: number
}
let receipt: { text: string; verifierKey: string } | undefined

/** 0: all went well. 3: as far as this machine can go. */
let exitCode = 1
try {
  exitCode = await main()
} catch (error) {
  console.log(`  ${(error as Error).message}`)
} finally {
  await stage.stopServers()
}
process.exit(exitCode)

async function main(): Promise<number> {
  stage.title('5. The enclave looks at the file, and trusts nothing but a key that it has')
  await stage.run(['inspect', 'app.tgz'])
  await stage.run(['verify', 'app.tgz', ...policy])

  stage.title('6. It serves the file in place, and relocates the bundle into that registry')
  const registry = await stage.serve([
    'serve',
    'app.tgz',
    '--overlay',
    './pushed',
    '--listen',
    '127.0.0.1:0',
    '-o',
    'json',
  ])
  await stage.run(['relocate', 'app.tgz', '--to', `${registry}/enclave`, '-m', 'mapping.json', ...policy])
  await findDigests()
  if (canInstall !== 'yes') {
    finish()
    return 3
  }

  stage.title('7. It installs: the run tool pulls the application from where it lives now, and starts it')
  mkdirSync(join(folder, 'state'))
  const port = await freePort()
  const common = ['-m', 'mapping.json', '--driver', 'namespaces', '--volume', './state:/state']
  await stage.run(['install', 'hello', 'app.tgz', ...common, '--param', `port=${port}`, ...policy])
  await expectPage(port, 'Hello from the far side')

  stage.title('8. It upgrades, reads the outputs, and answers over the gap')
  await stage.run([
    'upgrade',
    'hello',
    'app.tgz',
    ...common,
    '--param',
    `port=${port}`,
    '--param',
    'greeting=Ahoy',
    ...policy,
  ])
  await expectPage(port, 'Ahoy from the far side')
  await stage.run(['outputs', 'hello'])
  const made = await stage.run(['receipt', 'make', 'hello', '--site', 'enclave', '-o', 'json'])
  const { receipt: text, verifierKey, sizeBytes } = JSON.parse(made) as Receipt
  console.log(`  a receipt of ${sizeBytes} bytes: one QR code`)
  receipt = { text, verifierKey }

  stage.title('9. It uninstalls, shows what was decided, and decides it again')
  await stage.run([
    'uninstall',
    'hello',
    '--driver',
    'namespaces',
    '--volume',
    './state:/state',
    '-m',
    'mapping.json',
  ])
  const gone = await fetch(`http://127.0.0.1:${port}/`).then(
    () => false,
    () => true,
  )
  if (!gone) throw new Error('the application still answers')
  console.log('  the application is gone')

  await stage.run(['audit', 'list'])
  await stage.run(['audit', 'replay'])
  finish()
  return 0
}

/** Asks the registry what the relocated references name, by tag-less HEAD of the digest they say. */
async function findDigests(): Promise<void> {
  const mapping = JSON.parse(readFileSync(join(folder, 'mapping.json'), 'utf8')) as Record<string, string>
  for (const [original, relocated] of Object.entries(mapping)) {
    const [name = '', digest = ''] = relocated.split('@')
    const slash = name.indexOf('/')
    const repository = name.slice(slash + 1).replace(/:[^/]*$/, '')
    const reply = await fetch(`http://${name.slice(0, slash)}/v2/${repository}/manifests/${digest}`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    })
    const path =
      original
        .split('@')[0]
        ?.replace(/:[^/]*$/, '')
        .replace(/^[^/]*\//, '') ?? ''
    const { createHash } = await import('node:crypto')
    const actual = createHash('sha256')
      .update(Buffer.from(await reply.arrayBuffer()))
      .digest('hex')
    if (!digests.some((known) => known.path === path)) digests.push({ path, digest: `sha256:${actual}` })
  }
}

async function expectPage(port: number, text: string): Promise<void> {
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text()
  if (!page.includes(text)) throw new Error(`the page does not say "${text}"`)
  const [, title] = /<h1>(.*)<\/h1>/.exec(page) ?? []
  const [, image] = /<code>(.*)<\/code>/.exec(page) ?? []
  console.log(`  http://127.0.0.1:${port}/ says: ${title}\n  pulled as ${image}`)
}

function finish(): void {
  writeFileSync(report, JSON.stringify({ digests, times: stage.times, ...(receipt && { receipt }) }))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
