import { brokerLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { PolicyName } from './types.ts'

const id = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

/** `resource`, or `attestation/ID`. @throws POLICY_NAME_INVALID */
export function policyName(names: readonly string[]): PolicyName {
  const [kind, name, ...more] = names
  if (kind === 'resource' && name === undefined) return kind
  const isNamed = name !== undefined && name.length <= brokerLimits.policyNameLength && id.test(name)
  if (kind === 'attestation' && isNamed && more.length === 0) return `attestation/${name}`
  throw failure(
    'POLICY_NAME_INVALID',
    `${JSON.stringify(names.join('/').slice(0, 200))} is no name of a policy`,
  )
}
