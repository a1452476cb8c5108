import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileSystemFailure, type Json, policyLimits } from '#base/index.ts'
import {
  compilePolicy,
  type Policy,
  type PolicyFile,
  parseTrustPolicy,
  type TrustPolicy,
} from '#policy/index.ts'
import { readWhole } from './files.ts'

/** A policy as the commands for policies read it: with its tests, and without what is stored on this machine. */
export interface PolicyAtPath {
  /** What it is: the small form in YAML, or Rego alone. */
  readonly kind: 'TrustPolicy' | 'Rego'
  readonly policy: Policy
  readonly trust?: TrustPolicy
  /** `*_test.rego`, and for a folder all other files too: what is loaded to test. */
  readonly files: readonly PolicyFile[]
  readonly data: Json
}

/**
 * A trust policy, a file of Rego, or a folder: a folder with `policy.yaml` is that trust policy, any other one all of
 * its Rego and JSON.
 *
 * @throws FILE_SYSTEM, and the codes of `parseTrustPolicy` and `compilePolicy`
 */
export async function readPolicyAt(path: string): Promise<PolicyAtPath> {
  const info = await stat(path).catch((cause: unknown) => {
    throw fileSystemFailure(path, cause)
  })
  if (!info.isDirectory()) {
    return path.endsWith('.rego')
      ? regoPolicy([await textFile(path, basename(path))], [])
      : trustPolicy(path, [])
  }
  const names = (await readdir(path)).sort()
  const files = await Promise.all(
    names.filter((name) => /\.(rego|json)$/.test(name)).map((name) => textFile(join(path, name), name)),
  )
  const tests = files.filter((file) => file.path.endsWith('_test.rego'))
  if (names.includes('policy.yaml')) return trustPolicy(join(path, 'policy.yaml'), tests)
  return regoPolicy(
    files.filter((file) => !tests.includes(file)),
    tests,
  )
}

function regoPolicy(files: readonly PolicyFile[], tests: readonly PolicyFile[]): PolicyAtPath {
  return { kind: 'Rego', policy: compilePolicy(files), files: [...files, ...tests], data: {} }
}

async function trustPolicy(path: string, tests: readonly PolicyFile[]): Promise<PolicyAtPath> {
  const { text } = await textFile(path, path)
  const trust = await parseTrustPolicy(text, {
    path,
    readFile: (file, maxBytes) => readWhole(resolve(dirname(path), file), maxBytes),
  })
  const { policy } = trust
  return { kind: 'TrustPolicy', policy, trust, files: [...policy.files, ...tests], data: policy.data }
}

async function textFile(path: string, name: string): Promise<PolicyFile> {
  return { path: name, text: Buffer.from(await readWhole(path, policyLimits.bytes)).toString() }
}
