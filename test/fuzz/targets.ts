// The registry of fuzz targets. A room adds a file to targets/ and a line here.
import { accessTargets } from './targets/access.ts'
import { admissionTargets } from './targets/admission.ts'
import { judgingTargets } from './targets/judging.ts'
import { keysTargets } from './targets/keys.ts'
import { logTargets } from './targets/log.ts'
import { pkiTargets } from './targets/pki.ts'
import { policyTargets } from './targets/policy.ts'
import { proofTargets } from './targets/proofs.ts'

/** A parser of what comes from outside. */
export interface FuzzTarget {
  readonly name: string
  /** Inputs that are right or nearly so, made in code: what mutations begin with. */
  readonly corpus: readonly (string | Uint8Array)[]
  /** Texts that mean something to the parser, to be put anywhere. */
  readonly words?: readonly string[]
  /**
   * Parses, and holds the result against itself where it can. A SealiftError is an answer; any other error is a find,
   * as is one input that takes longer than a second. What it returns tells kinds of answers apart.
   */
  run(input: Uint8Array): unknown
}

export const targets: readonly FuzzTarget[] = [
  ...accessTargets,
  ...admissionTargets,
  ...judgingTargets,
  ...keysTargets,
  ...logTargets,
  ...pkiTargets,
  ...policyTargets,
  ...proofTargets,
]
