// What docs/broker.md says of the key broker is so: its commands work as they stand, and no member is left out.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { brokerConfigurationSchema, parseBrokerConfiguration } from '#broker/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const documents = ['', '-extensions', '-nebula', '-operation', '-pki', '-policies']
const read = (name: string) => readFileSync(join(root, 'docs', `broker${name}.md`), 'utf8')

/** The commands of a section, as they are copied and pasted. */
function commandsOf(document: string, section: string): string {
  const text = document.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, lines]) => lines).join('')
}

/** A port that nobody listens on now. */
const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

function shell(t: TestContext, script: string): Promise<{ exitCode: number | null; output: string }> {
  const cwd = mkdtempSync(join(tmpdir(), 'sealift-docs-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  const { HOME = '/tmp', PATH = '', XDG_CACHE_HOME = `${HOME}/.cache` } = process.env
  const child = spawn('bash', ['-eu', '-o', 'pipefail', '-c', script], {
    cwd,
    // No setting of this machine gets into it, but for the cache of what is compiled.
    env: { HOME: cwd, PATH: `${join(root, 'bin')}:${PATH}`, XDG_CACHE_HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => output.push(bytes))
  return new Promise((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, output: Buffer.concat(output).toString() }))
  })
}

test('the commands of docs/broker.md lead from nothing to a secret released to an attested guest', async (t) => {
  const commands = commandsOf(read(''), 'In five minutes')
  assert.match(commands, /broker init.*broker serve.*resource put.*client get.*reference set.*audit replay/s)
  // The ports are others, as somebody may use those of the document; all else is as it stands there.
  const [guests, admins] = [await freePort(), await freePort()]
  const script = commands.replaceAll('8080', String(guests)).replaceAll('8081', String(admins))
  const { exitCode, output } = await shell(t, `trap 'kill $(jobs -p) 2> kill.log || true' EXIT\n${script}`)
  assert.equal(exitCode, 0, output)
  assert.match(output, /^refused: 5$/m)
  assert.match(output, /^released$/m)
  assert.match(output, /release +no.*release +yes/s)
  assert.match(output, /^the same: 4 decisions decided again$/m)
})

test('every member of broker.yaml stands in the documents of the key broker', () => {
  const text = documents.map(read).join('\n')
  const missing = [...membersOf(brokerConfigurationSchema)].filter(
    (name) => !new RegExp(`\`([a-z][A-Za-z.]*\\.)?${name}\``).test(text),
  )
  assert.deepEqual(missing, [])
})

test('what the documents show of broker.yaml is taken as it stands there', () => {
  const least = {
    version: 1,
    issuer: 'https://kbs.example',
    state: { kind: 'sqlite', path: 'state.sqlite' },
    keyring: { file: 'keyring.json', keyFile: 'keyring.key' },
    audit: { kind: 'files', path: 'audit' },
    tees: [],
    access: 'access.yaml',
    resources: { stores: { main: { place: { kind: 'sqlite', path: 'secrets.sqlite' } } } },
  }
  let shown = 0
  for (const name of documents) {
    for (const [, yaml = ''] of read(name).matchAll(/^```yaml\n(.*?)^```/gms)) {
      const members = parse(yaml)
      const isPart = Object.keys(members).every((member) => member in brokerConfigurationSchema.properties)
      if (!isPart) continue
      shown++
      parseBrokerConfiguration(stringify({ ...least, ...members }))
    }
  }
  assert.ok(shown >= 4, `${shown} examples`)
})

/** Names of members, however deep they lie. */
function membersOf(schema: object, found = new Set<string>()): Set<string> {
  for (const [word, value] of Object.entries(schema)) {
    if (word === 'properties') for (const name of Object.keys(value as object)) found.add(name)
    if (typeof value === 'object' && value !== null) membersOf(value, found)
  }
  return found
}
