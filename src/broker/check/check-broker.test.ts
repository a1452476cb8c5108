import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type BrokerScene, brokerScene } from '../../../test/support/broker-scene.ts'
import { checkBroker } from './check-broker.ts'

const problems = async (directory: string, at = new Date()) => {
  const { findings } = await checkBroker(directory, { at })
  return findings.filter(({ ok }) => !ok).map(({ what, code }) => `${what} ${code}`)
}
const change = ({ directory }: BrokerScene, from: string, to: string) => {
  const path = join(directory, 'broker.yaml')
  const text = readFileSync(path, 'utf8')
  assert.ok(text.includes(from))
  writeFileSync(path, text.replace(from, to))
}

test('a new broker is sound, and looking at it changes nothing', async () => {
  await using scene = await brokerScene(
    (yaml) =>
      `${yaml}\nnebula:\n  name: n\n  pool: { range: 10.42.0.0/24 }\npki:\n  trustDomain: t.example\n`,
  )
  const { findings } = await checkBroker(scene.directory)
  assert.deepEqual(
    findings.filter(({ ok }) => !ok),
    [],
  )
  const told = (what: string) => findings.find((one) => one.what === what)?.message ?? ''
  assert.match(told('nebula'), /^[0-9a-f]{16} is issuing until 20/)
  assert.equal(told('pki'), 'made when it is first asked')
  await scene.admin('POST', 'pki/rotate')
  const again = await checkBroker(scene.directory)
  const pki = again.findings.find((one) => one.what === 'pki')?.message ?? ''
  assert.match(pki, /^root \S+ is issuing until \S+; intermediate \S+ is issuing until \S+; intermediate/)
})

test('each thing that is wrong is told with its code, and the others are looked at all the same', async () => {
  await using scene = await brokerScene()
  const { directory } = scene
  const expires = new Date(Date.now() + 60_000).toISOString()
  assert.equal((await scene.admin('PUT', 'references/svn', { value: ['1'], expires })).status, 200)
  assert.deepEqual(await problems(directory), [])
  assert.deepEqual(await problems(directory, new Date(Date.now() + 120_000)), [
    'references BROKER_REFERENCE_EXPIRED',
  ])
  writeFileSync(join(directory, 'access.yaml'), 'version: 1\n')
  change(scene, 'tees: [sample]', 'tees: []')
  assert.deepEqual(await problems(directory), ['tees BROKER_TEE_OFF', 'access ACCESS_RULES_INVALID'])
  change(scene, 'tees: []', 'tees: [tdx]')
  assert.deepEqual((await problems(directory))[0], 'tees TEE_UNKNOWN')
  change(scene, 'tees: [tdx]', 'tees: [sample, sampledevice]')
  change(scene, 'place: { kind: sqlite, path: secrets.sqlite }', 'place: { kind: sqlite, path: access.yaml }')
  assert.deepEqual(await problems(directory), [
    'access ACCESS_RULES_INVALID',
    'stores/main SECRET_STORE_FOREIGN',
  ])
})

test('what is behind a closed door is not guessed at', async () => {
  await using scene = await brokerScene()
  const { directory } = scene
  writeFileSync(join(directory, 'keyring.key'), Buffer.alloc(32))
  assert.deepEqual(await problems(directory), ['keyring KEYRING_LOCKED'])
  rmSync(join(directory, 'keyring.key'))
  assert.deepEqual(await problems(directory), ['keyring FILE_SYSTEM'])
  appendFileSync(join(directory, 'broker.yaml'), '\nunknown: true\n')
  assert.deepEqual(await problems(directory), ['configuration BROKER_CONFIGURATION_INVALID'])
})

test('a state that is gone is not made anew without a word', async () => {
  await using scene = await brokerScene()
  change(scene, 'path: state.sqlite', 'path: elsewhere.sqlite')
  assert.deepEqual(await problems(scene.directory), ['state BROKER_STATE_MISSING'])
})
