import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '#base/index.ts'
import { environmentsOf, limitsOf, parseConfiguration } from './configuration.ts'

test('a configuration is taken whole or not at all', () => {
  assert.deepEqual(parseConfiguration(null), {})
  const whole = {
    listen: '0.0.0.0:8443',
    mirrors: ['registry.enclave/vendor'],
    certificates: { secret: 'a/b', seconds: 60 },
    environments: { default: 'trial', namespaces: { lab: 'build' } },
    timeoutSeconds: 5,
  }
  assert.deepEqual(parseConfiguration(whole), whole)
  const bad: Json[] = [
    [],
    'text',
    { mirror: ['x'] },
    { timeoutSeconds: 30 },
    { timeoutSeconds: '5' },
    { environments: { default: 'moon' } },
    { environments: { namespaces: { lab: 'moon' } } },
    { certificates: { seconds: 1 } },
    { hostnames: 'one' },
  ]
  for (const value of bad) {
    assert.throws(
      () => parseConfiguration(value),
      { code: 'ADMISSION_CONFIGURATION_INVALID' },
      JSON.stringify(value),
    )
  }
})

test('seconds become limits; a namespace by name wins over the path, the path over the default', () => {
  const { reviewMs, refreshMs, staleMs } = limitsOf({ timeoutSeconds: 5, refreshSeconds: 1.5 })
  assert.deepEqual([reviewMs, refreshMs, staleMs], [5000, 1500, 300_000])
  const environmentOf = environmentsOf({ environments: { default: 'trial', namespaces: { lab: 'build' } } })
  assert.equal(environmentOf('lab', 'production'), 'build')
  assert.equal(environmentOf('shop', 'production'), 'production')
  assert.equal(environmentOf('shop', undefined), 'trial')
  assert.equal(environmentOf('constructor', undefined), 'trial')
  assert.equal(environmentsOf({})('shop', undefined), 'production')
})
