import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '#base/index.ts'
import type { JsonObject } from '../members.ts'
import { teeKeyClaim } from './index.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)

test('the key of the TEE is found in the places of other issuers, in their order', () => {
  const key = (name: string) => ({ kty: name })
  const ear = {
    submods: {
      cpu0: { 'ear.veraison.annotated-evidence': { runtime_data_claims: { 'tee-pubkey': key('ear') } } },
    },
  }
  const all: JsonObject = {
    tdx: {
      attester_runtime_data: { 'tee-pubkey': key('ita') },
      attester_user_data: { 'tee-pubkey': key('vtpm') },
    },
    customized_claims: { runtime_data: { 'tee-pubkey': key('coco') } },
    ...ear,
    'tee-pubkey': key('plain'),
    'a/b~c': { list: [key('extra')] },
  }
  assert.deepEqual(teeKeyClaim(all), key('ita'))
  const { tdx, customized_claims, submods, ...rest } = all as Record<string, JsonObject>
  assert.deepEqual(
    teeKeyClaim({
      ...rest,
      submods,
      customized_claims,
      tdx: { attester_user_data: tdx!.attester_user_data },
    } as JsonObject),
    key('vtpm'),
  )
  assert.deepEqual(teeKeyClaim({ ...rest, submods, customized_claims } as JsonObject), key('coco'))
  assert.deepEqual(teeKeyClaim({ ...rest, submods } as JsonObject), key('ear'))
  assert.deepEqual(teeKeyClaim(rest as JsonObject), key('plain'))
  assert.deepEqual(teeKeyClaim(all, ['/a~1b~0c/list/0']), key('extra'))
  assert.throws(() => teeKeyClaim({}), code('TOKEN_INVALID'))
  assert.throws(() => teeKeyClaim({ 'tee-pubkey': 'x' }), code('TOKEN_INVALID'))
  assert.throws(() => teeKeyClaim({ tdx: {} }, ['/constructor/name', '/__proto__/x']), code('TOKEN_INVALID'))
})
