import type { Json } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { Tee } from '../types.ts'

/** Every TEE that a message may name. */
export const tees: readonly Tee[] = [
  'az-snp-vtpm',
  'az-tdx-vtpm',
  'nvidia',
  'sgx',
  'snp',
  'tdx',
  'cca',
  'csv',
  'se',
  'hygondcu',
  'dpu',
  'nvidia-dpu',
  'tpm',
  'sample',
  'sampledevice',
]

/** As older guests write them (kbs-types before 0.8: lower case without hyphens). */
const older: ReadonlyMap<string, Tee> = new Map([
  ['azsnpvtpm', 'az-snp-vtpm'],
  ['aztdxvtpm', 'az-tdx-vtpm'],
])

const known = new Map<string, Tee>([...tees.map((tee) => [tee, tee] as const), ...older])

/** @throws TEE_UNKNOWN */
export function teeOf(value: Json | undefined): Tee {
  const tee = typeof value === 'string' ? known.get(value) : undefined
  if (!tee) throw failure('TEE_UNKNOWN', 'the TEE that is named is not known here')
  return tee
}
