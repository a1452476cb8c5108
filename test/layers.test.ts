// The architecture's document, as a test: which room may import which rooms and packages.
// A room imports only from rooms on lower floors (through their index.ts) and from itself.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'

interface Room {
  readonly floor: number
  /** npm packages; node: modules are free to all. */
  readonly packages: readonly string[]
}

const house: Readonly<Record<string, Room>> = {
  base: { floor: 0, packages: ['canonicalize', 'typebox'] },
  oci: { floor: 1, packages: [] },
  keys: { floor: 1, packages: ['tweetnacl'] },
  log: { floor: 1, packages: ['pg'] },
  content: { floor: 2, packages: ['tar-stream'] },
  policy: { floor: 2, packages: ['yaml', 'typebox'] },
  access: { floor: 2, packages: ['yaml', 'typebox'] },
  registry: { floor: 3, packages: ['undici', 'bcryptjs'] },
  image: { floor: 3, packages: ['tar-stream'] },
  trust: { floor: 3, packages: ['re2js', 'tuf-js', 'typebox'] },
  gate: { floor: 4, packages: ['qrcode', 'typebox'] },
  bundle: { floor: 5, packages: ['typebox', 'semver', 'ulid'] },
  attestation: { floor: 5, packages: ['jose', 'typebox'] },
  broker: { floor: 6, packages: ['jose', 'typebox', 'yaml'] },
  server: {
    floor: 7,
    packages: ['@hono/node-server', 'hono', '@kubernetes/client-node', 'jose', 'typebox'],
  },
  cli: { floor: 8, packages: ['@stricli/core', 'yaml', 'typebox', 'pino'] },
}
/** What only tests may import on top. */
const testPackages = ['fast-check', '@sigstore/bundle', '@sigstore/mock', '@sigstore/verify', 'jose', 'yaml']

// `import ... from 'x'` on one line or at the end of a list, `import 'x'`, `import('x')`.
const importPattern =
  /(?:^|\n)(?:import\b|export\b|\})[^'"\n]*?\bfrom ['"]([^'"]+)['"]|(?:^|\n)import ['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? match[3]!)
}

const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** Why `file` may not import `specifier`, or undefined where it may. */
function objection(file: string, specifier: string): string | undefined {
  const [, roomName = ''] = file.split('/')
  const room = house[roomName]
  if (!room) return `src/${roomName} is not a room of the house`
  const isTest = file.endsWith('.test.ts') || file.endsWith('.suite.ts')
  if (specifier.startsWith('node:')) return undefined
  if (specifier.startsWith('.')) {
    const path = normalize(join(dirname(file), specifier))
    if (isTest && path.startsWith('test/support/')) return undefined
    const into = relative('src', path).split('/')[0]
    return into === roomName ? undefined : `reaches into another room by a relative path`
  }
  if (specifier.startsWith('#')) {
    const [otherName = '', ...rest] = specifier.slice(1).split('/')
    if (isTest && rest.join('/').endsWith('.suite.ts')) return undefined
    const other = house[otherName]
    if (!other) return `#${otherName} is not a room`
    // The registry room has two halves that know nothing of each other, each with a face of its own; base keeps
    // what loads the schema library behind a face of its own.
    const isHalf = /^(registry\/(client|server)|base\/shape)\/index\.ts$/.test(specifier.slice(1))
    if (rest.join('/') !== 'index.ts' && !isHalf) return `only a room's index.ts may be imported`
    // A test may stand on rooms of any floor: it shows that they fit together.
    if (!isTest && other.floor >= room.floor) return `${otherName} is not on a lower floor`
    return undefined
  }
  const name = packageOf(specifier)
  if (room.packages.includes(name) || (isTest && testPackages.includes(name))) return undefined
  return `the package ${name} is not in the room's list`
}

test('rooms import only from lower floors and listed packages', () => {
  const objections: string[] = []
  const files = globSync('src/*/**/*.ts')
  assert.ok(files.length > 20, 'the glob finds the sources')
  let imports = 0
  for (const file of files) {
    for (const specifier of importsOf(file)) {
      imports++
      const why = objection(file, specifier)
      if (why) objections.push(`${file}: ${specifier}: ${why}`)
    }
  }
  assert.ok(imports > 20, 'the pattern finds the imports')
  assert.deepEqual(objections, [])
})

test('the check fails where it should', () => {
  assert.match(objection('src/oci/x.ts', '#content/index.ts') ?? '', /lower floor/)
  assert.match(objection('src/oci/x.ts', '../base/json.ts') ?? '', /another room/)
  assert.match(objection('src/content/x.ts', '#oci/digest.ts') ?? '', /index\.ts/)
  assert.match(objection('src/oci/x.ts', 'undici') ?? '', /list/)
  assert.match(objection('src/registry/x.ts', '#image/index.ts') ?? '', /lower floor/)
  assert.equal(objection('src/content/x.ts', '#oci/index.ts'), undefined)
})

test('the registry server never imports the registry client', () => {
  for (const file of globSync('src/registry/server/**/*.ts', { exclude: ['**/*.test.ts'] })) {
    for (const specifier of importsOf(file)) assert.doesNotMatch(specifier, /\/client\//, file)
  }
})
