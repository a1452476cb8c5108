import { Type } from 'typebox'
import { formatPrincipal } from '#access/index.ts'
import { bodyOf, emptyReply, fromBase64Url, jsonReply } from '../admin/bodies.ts'
import type { AdminHandler, AdminHandlers } from '../face.ts'
import type { Problem } from '../types.ts'
import { failure } from './codes.ts'
import { policyName } from './policy-name.ts'
import { type RecordedRequest, tryPolicy } from './try-policy.ts'
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

/** The newest requests that a policy was asked about, from the audit log. */
export type RecordedRequests = (name: PolicyName) => Promise<readonly RecordedRequest[]>

/** `policies` of the admin API (docs/broker.md), and Trustee's own calls. */
export function policiesAdministration(book: PolicyBook, recorded: RecordedRequests): AdminHandlers {
  const policies: AdminHandler = async (request, at, signal) => {
    const { method, query, body, principal } = request
    const path = request.path.slice(1)
    const by = formatPrincipal(principal)
    if (method === 'GET' && path.length === 0) return jsonReply(await listed(book, signal))
    const last = path.at(-1)
    const isAction = actions.has(`${method} ${last}`) && path.length > 1
    const name = policyName(isAction ? path.slice(0, -1) : path)
    if (!isAction && method === 'PUT')
      return jsonReply(await book.set(name, bodyOf(files, body).files, by, at, signal))
    if (!isAction && method === 'GET') return jsonReply(await one(book, name, query.version, signal))
    if (isAction && last === 'versions') {
      const versions = await book.versions(name, signal)
      return jsonReply(versions.map(({ files: _, ...version }) => version))
    }
    if (isAction && last === 'try')
      return jsonReply(tryPolicy(name, bodyOf(files, body).files, await recorded(name)))
    if (isAction && last === 'rollback') {
      const { to } = body.length === 0 ? {} : bodyOf(rollback, body)
      return jsonReply(await book.rollback(name, to, by, at, signal))
    }
    throw failure('POLICY_NAME_INVALID', 'a policy is shown, set, tried or rolled back')
  }
  const setTrustee: AdminHandler = async ({ method, path, body, principal }, at, signal) => {
    if (method === 'GET' && path[0] === 'resource-policy') return jsonReply(await book.names(signal))
    const { id, text } = trusteePolicy(path[0]!, body)
    const name = policyName(path[0] === 'resource-policy' ? ['resource'] : ['attestation', id])
    await book.set(name, [{ path: 'policy.rego', text }], formatPrincipal(principal), at, signal)
    return emptyReply
  }
  return {
    handlers: { policies },
    kbs: { 'resource-policy': setTrustee, 'attestation-policy': setTrustee },
    problems,
  }
}

const actions: ReadonlySet<string> = new Set(['GET versions', 'POST try', 'POST rollback'])

function trusteePolicy(call: string, body: Uint8Array): { id: string; text: string } {
  const { policy, policy_id: id = '' } =
    call === 'resource-policy'
      ? { ...bodyOf(trusteeResource, body), policy_id: '' }
      : bodyOf(trusteeAttestation, body)
  return { id, text: Buffer.from(fromBase64Url(policy)).toString() }
}

async function listed(book: PolicyBook, signal: AbortSignal) {
  const names = await book.names(signal)
  const active = await Promise.all(names.map((name) => book.active(name, signal)))
  return active.flatMap((policy) =>
    policy ? [{ name: policy.name, version: policy.version, digest: policy.policy.digest }] : [],
  )
}

async function one(book: PolicyBook, name: PolicyName, wanted: string | undefined, signal: AbortSignal) {
  const versions = await book.versions(name, signal)
  const number = wanted === undefined ? (await book.active(name, signal))?.version : Number(wanted)
  const found = versions.find(({ version }) => version === number)
  if (!found)
    throw failure(
      'POLICY_NOT_FOUND',
      `there is no policy ${name}${wanted === undefined ? '' : ' of this version'}`,
    )
  return found
}

const invalid = (detail: string): Problem => ({ status: 400, variant: 'ParsePolicyError', detail })
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
  POLICY_BUSY: { status: 503, variant: 'PluginInternalError', detail: 'busy: ask again' },
} satisfies AdminHandlers['problems']
