import { compileAttestationPolicy } from '#attestation/index.ts'
import type { Policy, PolicyFile } from '#policy/index.ts'
import { failure } from './codes.ts'
import { compileResourcePolicy } from './resource-policy.ts'
import type { PolicyName } from './types.ts'

/** A policy of the kind that its name says. @throws POLICY_PACKAGE_RESERVED, and what compiling throws */
export function compileBrokerPolicy(name: PolicyName, files: readonly PolicyFile[]): Policy {
  for (const { path, text } of files) {
    if (/^\s*package\s+sealift(\s|\.|\[|$)/m.test(text))
      throw failure('POLICY_PACKAGE_RESERVED', `${path} declares a package of the broker's own`)
  }
  return name === 'resource' ? compileResourcePolicy(files) : compileAttestationPolicy(files)
}
