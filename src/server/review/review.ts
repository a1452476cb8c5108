import type { Principal } from '#access/index.ts'
import { type AdmissionLimits, admissionLimits, type Json, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

export type JsonObject = { readonly [key: string]: Json }

/** An AdmissionReview's request (admission.k8s.io/v1), as far as it is looked at. */
export interface Review {
  /** Echoed; whatever it is. */
  readonly uid: string
  /** GROUP/VERSION/KIND of the object, converted by the API server to what the webhook is registered for. */
  readonly kind: string
  readonly subresource: string
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  readonly namespace: string
  /** Empty where the API server has yet to make one up. */
  readonly name: string
  readonly principal: Principal
  readonly dryRun: boolean
  readonly object: JsonObject | undefined
  readonly oldObject: JsonObject | undefined
}

const operations = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const

/**
 * Reads an AdmissionReview, strictly: what is not exactly one is refused whole, as nobody knows what it would say.
 *
 * @throws REVIEW_INVALID, REVIEW_TOO_LARGE
 */
export function parseReview(bytes: Uint8Array, limits: AdmissionLimits = admissionLimits): Review {
  if (bytes.length > limits.reviewBytes) {
    throw failure('REVIEW_TOO_LARGE', `a review of ${bytes.length} bytes is over ${limits.reviewBytes}`)
  }
  let review: Json
  try {
    review = parseJson(bytes, { maxBytes: limits.reviewBytes })
  } catch (cause) {
    throw failure('REVIEW_INVALID', `the review is refused: ${(cause as Error).message}`, { cause })
  }
  if (!isObject(review) || review.apiVersion !== 'admission.k8s.io/v1' || review.kind !== 'AdmissionReview') {
    throw failure('REVIEW_INVALID', 'it is not an AdmissionReview of admission.k8s.io/v1')
  }
  const { request } = review
  if (!isObject(request)) throw failure('REVIEW_INVALID', 'the AdmissionReview holds no request')
  const text = (name: string, value: Json | undefined, longest = limits.nameLength) => {
    if (value === undefined || value === null) return ''
    if (typeof value === 'string' && value.length <= longest) return value
    throw failure('REVIEW_INVALID', `${name} is not a text of at most ${longest} characters`)
  }
  const uid = text('request.uid', request.uid, limits.uidLength)
  if (uid === '') throw failure('REVIEW_INVALID', 'the request has no uid')
  const operation = operations.find((known) => known === request.operation)
  if (operation === undefined) throw failure('REVIEW_INVALID', 'request.operation is none')
  if (request.dryRun !== undefined && request.dryRun !== null && typeof request.dryRun !== 'boolean') {
    throw failure('REVIEW_INVALID', 'request.dryRun is not a boolean')
  }
  const { kind } = request
  if (!isObject(kind)) throw failure('REVIEW_INVALID', 'request.kind is not an object')
  const parts = [kind.group, kind.version, kind.kind].map((part, at) => text(`request.kind, ${at}`, part))
  if (parts[1] === '' || parts[2] === '') throw failure('REVIEW_INVALID', 'request.kind is incomplete')
  return {
    uid,
    kind: parts.join('/'),
    subresource: text('request.subResource', request.subResource),
    operation,
    namespace: text('request.namespace', request.namespace),
    name: text('request.name', request.name),
    principal: principalOf(request.userInfo, text, limits),
    dryRun: request.dryRun === true,
    object: objectOf('request.object', request.object),
    oldObject: objectOf('request.oldObject', request.oldObject),
  }
}

function objectOf(where: string, value: Json | undefined): JsonObject | undefined {
  if (value === undefined || value === null) return undefined
  if (isObject(value)) return value
  throw failure('REVIEW_INVALID', `${where} is not an object`)
}

const serviceAccount = 'system:serviceaccount:'

/** Who asked the API server, which has authenticated them. */
function principalOf(
  userInfo: Json | undefined,
  text: (name: string, value: Json | undefined) => string,
  limits: AdmissionLimits,
): Principal {
  if (!isObject(userInfo)) throw failure('REVIEW_INVALID', 'request.userInfo is not an object')
  const name = text('request.userInfo.username', userInfo.username)
  const groups = userInfo.groups ?? []
  if (!Array.isArray(groups) || groups.length > limits.groups) {
    throw failure('REVIEW_INVALID', 'request.userInfo.groups is not a list that is short enough')
  }
  const names = groups.map((group) => text('request.userInfo.groups', group))
  if (name === '' || name === 'system:anonymous') return { kind: 'anonymous', name: '', groups: names }
  if (name.startsWith(serviceAccount)) {
    return { kind: 'service', name: name.slice(serviceAccount.length), groups: names }
  }
  return { kind: 'user', name, groups: names }
}
