import { Type } from 'typebox'
import { formatPrincipal } from '#access/index.ts'
import { parseReferenceMessage } from '#attestation/index.ts'
import type { Json } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { bodyOf, emptyReply, jsonReply } from '../admin/bodies.ts'
import { failure as requestFailure } from '../codes.ts'
import type { AdminHandler, AdminHandlers } from '../face.ts'
import type { Problem } from '../types.ts'
import { failure } from './codes.ts'
import type { KnownReference, ReferenceBook } from './types.ts'

const yearMs = 365 * 86_400_000
const value = Type.Object(
  { value: Type.Unsafe<Json>({}), expires: Type.Optional(Type.String({ maxLength: 64 })) },
  { additionalProperties: false },
)

/** `references` of the admin API (docs/broker.md), and Trustee's `reference-value`. */
export function referencesAdministration(book: ReferenceBook): AdminHandlers {
  const references: AdminHandler = async (request, at, signal) => {
    const { method, body, principal } = request
    const [, ...path] = request.path
    const by = formatPrincipal(principal)
    if (method === 'GET' && path.length === 0) return jsonReply((await book.values(signal)).map(told))
    const name = path.join('/')
    if (method === 'POST' && name === 'import') {
      const values = parseReferenceMessage(body, at)
      await book.set(values, `${by}, message ${digestOf(body)}`, at, signal)
      return jsonReply({ imported: values.map((one) => one.name) })
    }
    if (method === 'PUT') {
      const said = bodyOf(value, body)
      const expiration = said.expires === undefined ? new Date(at.getTime() + yearMs) : new Date(said.expires)
      if (Number.isNaN(expiration.getTime()))
        throw requestFailure('BROKER_REQUEST_INVALID', '"expires" is not a time')
      await book.set([{ name, value: said.value, expiration }], by, at, signal)
      return jsonReply(told((await book.read(name, signal))!))
    }
    if (method === 'DELETE') {
      if (!(await book.remove(name, signal))) throw notFound(name)
      return jsonReply({ removed: name })
    }
    const found = await book.read(name, signal)
    if (method !== 'GET' || !found) throw notFound(name)
    return jsonReply(told(found))
  }
  return {
    handlers: { references },
    kbs: {
      'reference-value': async ({ method, path: [, ...names], body, principal }, at, signal) => {
        if (method === 'GET') {
          const found = await book.read(names.join('/'), signal)
          // As Trustee: null where there is none, or none any more.
          return jsonReply(found && found.expiration > at ? found.value : null)
        }
        const values = parseReferenceMessage(body, at)
        await book.set(values, `${formatPrincipal(principal)}, message ${digestOf(body)}`, at, signal)
        return emptyReply
      },
    },
    problems,
  }
}

const told = ({ name, value, expiration, origin, at }: KnownReference) => ({
  name,
  value,
  expires: expiration.toISOString(),
  origin,
  at: at.toISOString(),
})

const notFound = (name: string) =>
  failure('REFERENCE_NOT_FOUND', `there is no reference value ${JSON.stringify(name.slice(0, 200))}`)

const refused: Problem = { status: 400, variant: 'RvpsError', detail: 'the reference values were not taken' }
const problems = {
  REFERENCE_VALUE_INVALID: refused,
  REFERENCES_TOO_MANY: refused,
  REFERENCE_NOT_FOUND: { status: 404, variant: 'RvpsError', detail: 'no such reference value' },
  REFERENCES_BUSY: { status: 503, variant: 'RvpsError', detail: 'busy: ask again' },
} satisfies AdminHandlers['problems']
