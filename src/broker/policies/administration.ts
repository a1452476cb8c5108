import { Type } from 'typebox'
import { formatPrincipal } from '#access/index.ts'
import { bodyOf, emptyReply, fromBase64Url, jsonReply } from '../admin/bodies.ts'
import { failure as requestFailure } from '../codes.ts'
import type { AdminHandler, AdminHandlers } from '../face.ts'
import type { Problem } from '../types.ts'
import { policyName } from './policy-name.ts'
import type { RecordedRequests } from './recorded-requests.ts'
import { tryPolicy } from './try-policy.ts'
import type { PolicyBook, PolicyName } from './types.ts'

const files = Type.Object(
  {
    files: Type.Array(
      Type.Object(
        { path: Type.String({ maxLength: 1024 }), text: Type.String() },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
  },
  { additionalProperties: false },
)
const rollback = Type.Object(
  { to: Type.Optional(Type.Integer({ minimum: 1 })) },
  { additionalProperties: false },
)
// Trustee's clients may send more than it looks at.
const trusteeResource = Type.Object({ policy: Type.String() })
const trusteeAttestation = Type.Object({
  type: Type.Optional(Type.String()),
  policy_id: Type.String(),
  policy: Type.String(),
})

/** `policies` of the admin API (docs/broker-policies.md), and Trustee's own calls. */
export function policiesAdministration(book: PolicyBook, recorded: RecordedRequests): AdminHandlers {
  const policies: AdminHandler = async (request, at, signal) => {
    const { method, query, body, principal } = request
    const path = request.path.slice(1)
    const by = formatPrincipal(principal)
    if (method === 'GET' && path.length === 0) return jsonReply(await listed(book, signal))
    // Behind a whole name: an attestation policy may be called `versions`.
    const nameLength = path[0] === 'resource' ? 1 : 2
    const action = path.length > nameLength ? actions.get(`${method} ${path.at(-1)}`) : undefined
    const name = policyName(action ? path.slice(0, -1) : path)
    switch (action ?? method) {
      case 'GET':
        return jsonReply(await book.read(name, versionIn(query.version), signal))
      case 'PUT':
        return jsonReply(await book.set(name, bodyOf(files, body).files, by, at, signal))
      case 'versions': {
        const versions = await book.versions(name, signal)
        return jsonReply(versions.map(({ files: _, ...version }) => version))
      }
      case 'try':
        return jsonReply(await tryPolicy(name, bodyOf(files, body).files, await recorded(name, at), signal))
      case 'rollback': {
        const { to } = body.length === 0 ? {} : bodyOf(rollback, body)
        return jsonReply(await book.rollback(name, to, by, at, signal))
      }
      default:
        throw requestFailure('BROKER_PATH_UNKNOWN', 'a policy is shown, set, tried or rolled back')
    }
  }
  const setTrustee: AdminHandler = async ({ method, path, body, principal }, at, signal) => {
    const [call, ...more] = path
    // Trustee has one, and this is its id.
    if (method === 'GET' && call === 'resource-policy' && more.length === 0)
      return jsonReply((await book.names(signal)).includes('resource') ? [call] : [])
    if (method !== 'POST' || more.length > 0)
      throw requestFailure('BROKER_PATH_UNKNOWN', 'a policy is set with POST')
    const { name, text } = trusteePolicy(call!, body)
    await book.set(name, [{ path: 'policy.rego', text }], formatPrincipal(principal), at, signal)
    return emptyReply
  }
  return {
    handlers: { policies },
    kbs: { 'resource-policy': setTrustee, 'attestation-policy': setTrustee },
    problems,
  }
}

const actions: ReadonlyMap<string, 'versions' | 'try' | 'rollback'> = new Map([
  ['GET versions', 'versions'],
  ['POST try', 'try'],
  ['POST rollback', 'rollback'],
])

function versionIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) throw requestFailure('BROKER_REQUEST_INVALID', '"version" is no number')
  return Number(text)
}

function trusteePolicy(call: string, body: Uint8Array): { readonly name: PolicyName; readonly text: string } {
  if (call === 'resource-policy') {
    return { name: 'resource', text: textOf(bodyOf(trusteeResource, body).policy) }
  }
  const { policy, policy_id: id } = bodyOf(trusteeAttestation, body)
  return { name: policyName(['attestation', id]), text: textOf(policy) }
}

function textOf(encoded: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(fromBase64Url(encoded))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw requestFailure('BROKER_REQUEST_INVALID', 'the policy is not UTF-8')
  }
}

async function listed(book: PolicyBook, signal: AbortSignal) {
  const names = await book.names(signal)
  const inForce = await Promise.all(names.map((name) => book.read(name, undefined, signal)))
  return inForce.map(({ name, version, digest }) => ({ name, version, digest }))
}

const invalid = (detail: string): Problem => ({ status: 400, variant: 'PolicyEngineError', detail })
const problems = {
  POLICY_NAME_INVALID: invalid('no name of a policy'),
  POLICY_PACKAGE_RESERVED: invalid('the policy does not compile'),
  POLICY_SYNTAX: invalid('the policy does not compile'),
  POLICY_DATA_INVALID: invalid('the policy does not compile'),
  POLICY_RULE_MISSING: invalid('the policy does not compile'),
  POLICY_FORBIDDEN: invalid('the policy does not compile'),
  POLICY_TOO_LARGE: invalid('the policy does not compile'),
  POLICY_EMPTY: invalid('the policy does not compile'),
  POLICY_NOT_FOUND: { status: 404, variant: 'PluginInternalError', detail: 'no such policy' },
  SECRET_VALUE_TOO_LARGE: { status: 413, variant: 'PolicyEngineError', detail: 'the policy is too large' },
  POLICY_BUSY: { status: 503, variant: 'PluginInternalError', detail: 'busy: ask again' },
} satisfies AdminHandlers['problems']
