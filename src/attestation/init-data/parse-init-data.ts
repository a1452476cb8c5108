import { createHash } from 'node:crypto'
import { type AttestationLimits, attestationLimits, isFailure, type Json, parseJson } from '#base/index.ts'
import { failure } from '../codes.ts'
import { isObject, member } from '../members.ts'
import type { InitData } from '../messages/index.ts'
import { parseToml } from './toml.ts'
import { NotToml } from './toml-reader.ts'

/** Init-data, read: nothing of it is true before evidence was found to hold its digest. */
export interface ParsedInitData {
  /** With the algorithm that it names itself, over its bytes as they were sent. */
  readonly digest: Uint8Array
  /** What policies see as `init_data_claims`. */
  readonly claims: Json
}

const algorithms = ['sha256', 'sha384', 'sha512']

/**
 * Init-data (`version`, `algorithm`, `[data]` with files as text). As Trustee does, `aa.toml` and `cdh.toml` are told
 * taken apart, and of `policy.rego` its `policy_data`, where they can be read.
 *
 * @throws INIT_DATA_INVALID
 */
export function parseInitData(
  { body }: InitData,
  limits: AttestationLimits = attestationLimits,
): ParsedInitData {
  if (body.length > limits.initDataLength) {
    throw invalid(`it has ${body.length} characters, the limit is ${limits.initDataLength}`)
  }
  const document = read(body, limits)
  const algorithm = member(document, 'algorithm')
  if (typeof algorithm !== 'string' || !algorithms.includes(algorithm)) {
    throw invalid(`"algorithm" is none of ${algorithms.join(', ')}`)
  }
  if (typeof member(document, 'version') !== 'string') throw invalid('"version" is not text')
  const data = member(document, 'data')
  if (!isObject(data) || Object.values(data).some((file) => typeof file !== 'string')) {
    throw invalid('[data] does not hold texts by their names')
  }
  const digest = createHash(algorithm).update(body).digest()
  return { digest, claims: claimsOf(data as Record<string, string>, limits) }
}

function read(body: string, limits: AttestationLimits) {
  try {
    return parseToml(body, limits.depth)
  } catch (error) {
    if (!(error instanceof NotToml)) throw error
    throw invalid(error.message)
  }
}

function claimsOf(data: Readonly<Record<string, string>>, limits: AttestationLimits): Json {
  const claims: { [name: string]: Json } = { ...data }
  for (const name of ['aa.toml', 'cdh.toml']) {
    const text = data[name]
    if (text !== undefined) claims[name] = orText(text, () => parseToml(text, limits.depth))
  }
  const policy = data['policy.rego']
  const start = policy?.indexOf(policyData) ?? -1
  if (policy === undefined || start === -1) return claims
  const json = Buffer.from(policy.slice(start + policyData.length - 1))
  const bounds = { maxBytes: limits.bodyBytes, maxDepth: limits.depth }
  const said = orText('', () => parseJson(json, bounds))
  if (said === '') return claims
  delete claims['policy.rego']
  return { ...claims, agent_policy_claims: said }
}

/** Where Kata's policies say what they allow: the last thing in the file. */
const policyData = 'policy_data := {'

/** A file that cannot be read stays the text that it is. */
function orText(text: string, step: () => Json): Json {
  try {
    return step()
  } catch (error) {
    if (!(error instanceof NotToml) && !isFailure(error)) throw error
    return text
  }
}

const invalid = (why: string) => failure('INIT_DATA_INVALID', `the init-data cannot be read: ${why}`)
