// Verifies with a key and keyless where everything that could open a connection throws, and says what was asked for.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const require = createRequire(import.meta.url)
const entries: Readonly<Record<string, readonly string[]>> = {
  net: ['connect', 'createConnection', 'Socket', 'createServer'],
  tls: ['connect', 'TLSSocket', 'createServer'],
  dns: ['lookup', 'resolve', 'resolve4', 'resolve6'],
  'dns/promises': ['lookup', 'resolve', 'resolve4', 'resolve6'],
  http: ['request', 'get', 'createServer'],
  https: ['request', 'get', 'createServer'],
  http2: ['connect'],
  dgram: ['createSocket', 'Socket'],
}
const asked: string[] = []
const trap = (name: string) =>
  function trapped(): never {
    asked.push(name)
    throw new Error(`${name} was called`)
  }
for (const [module, names] of Object.entries(entries)) {
  const face = require(`node:${module}`) as Record<string, unknown>
  for (const name of names) face[name] = trap(`${module}.${name}`)
}
globalThis.fetch = trap('fetch')
globalThis.WebSocket = trap('WebSocket') as unknown as typeof WebSocket
syncBuiltinESMExports()

const { judge, prepareTrust, proofOf } = await import('../../src/trust/index.ts')
const { digest, bytes, bundles, material } = workerData
const trust = prepareTrust(material)
const kinds: string[] = []
for (const bundle of bundles) {
  kinds.push(judge(proofOf('bundle', bundle), { digest, bytes }, trust, new Date()).signer.kind)
}
// The traps are set: what wants out is caught.
let isTrapped = false
try {
  await fetch('http://127.0.0.1:9/')
} catch {
  isTrapped = asked.splice(0).join() === 'fetch'
}
parentPort?.postMessage({ kinds, asked, isTrapped })
