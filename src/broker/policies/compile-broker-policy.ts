import { compileAttestationPolicy } from '#attestation/index.ts'
import { isFailure, type Json, parseJson, policyLimits } from '#base/index.ts'
import { type Policy, type PolicyFile, wordsOf } from '#policy/index.ts'
import { failure } from './codes.ts'
import { compileResourcePolicy } from './resource-policy.ts'
import type { PolicyName } from './types.ts'

/** Where the broker's own questions stand: what else were there could answer them. */
const reserved = 'sealift'

/** A policy of the kind that its name says. @throws POLICY_PACKAGE_RESERVED, and what compiling throws */
export function compileBrokerPolicy(name: PolicyName, files: readonly PolicyFile[]): Policy {
  for (const file of files) {
    if (file.path.endsWith('.json') ? hasReservedData(file) : hasReservedPackage(file))
      throw failure(
        'POLICY_PACKAGE_RESERVED',
        `${file.path} declares \`${reserved}\`, which is the broker's own`,
      )
  }
  return name === 'resource' ? compileResourcePolicy(files) : compileAttestationPolicy(files)
}

function hasReservedPackage({ text }: PolicyFile): boolean {
  let before = ''
  for (const { text: word } of wordsOf(text)) {
    if (before === 'package' && word.split('.')[0] === reserved) return true
    before = word
  }
  return false
}

function hasReservedData({ text }: PolicyFile): boolean {
  let data: Json
  try {
    data = parseJson(Buffer.from(text), { maxBytes: policyLimits.bytes })
  } catch (error) {
    // Compiling tells what is wrong with it.
    if (isFailure(error)) return false
    throw error
  }
  return typeof data === 'object' && data !== null && Object.hasOwn(data, reserved)
}
