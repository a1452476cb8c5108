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
import { dateTime } from './date-time.ts'
import { isStatement, referencesFromStatement, type StatementReferences } from './from-statement.ts'
import type { StatementTrust } from './statement-rules.ts'
import type { KnownReference, ReferenceBook } from './types.ts'

const yearMs = 365 * 86_400_000
const value = Type.Object(
  { value: Type.Unsafe<Json>({}), expires: Type.Optional(Type.String({ maxLength: 64 })) },
  { additionalProperties: false },
)

/**
 * `references` of the admin API (docs/broker-policies.md), and Trustee's `reference-value`.
 *
 * @param statements whose signed statements are taken; nobody's where it is not said
 */
export function referencesAdministration(book: ReferenceBook, statements?: StatementTrust): AdminHandlers {
  /** What came in a message is the admin's own word, and recorded as such; a statement is its signer's. */
  const readImport = (body: Uint8Array, by: string, at: Date): StatementReferences => {
    if (!isStatement(body))
      return { values: parseReferenceMessage(body, at), origin: `${by}, message ${digestOf(body)}` }
    if (!statements)
      throw failure('REFERENCE_STATEMENT_REFUSED', 'nobody is trusted to say what the reference values are')
    const { values, origin } = referencesFromStatement(body, statements, at)
    return { values, origin: `${by}, ${origin}` }
  }
  const references: AdminHandler = async (request, at, signal) => {
    const { method, body, principal } = request
    const [, ...path] = request.path
    const by = formatPrincipal(principal)
    if (method === 'GET' && path.length === 0) return jsonReply((await book.values(signal)).map(told))
    const name = path.join('/')
    if (method === 'POST' && name === 'import') {
      const { values, origin } = readImport(body, by, at)
      await book.set(values, origin, at, signal)
      return jsonReply({ imported: values.map((one) => one.name), origin })
    }
    if (method === 'PUT') {
      const said = bodyOf(value, body)
      const expiration = said.expires === undefined ? new Date(at.getTime() + yearMs) : timeIn(said.expires)
      await book.set([{ name, value: said.value, expiration }], by, at, signal)
      return jsonReply(told((await book.read(name, signal))!))
    }
    if (method === 'DELETE') {
      if (!(await book.remove(name, signal))) throw notFound(name)
      return jsonReply({ removed: name })
    }
    if (method !== 'GET')
      throw requestFailure('BROKER_PATH_UNKNOWN', 'values are shown, set, removed, imported')
    const found = await book.read(name, signal)
    if (!found) throw notFound(name)
    return jsonReply(told(found))
  }
  return {
    handlers: { references },
    kbs: {
      'reference-value': async ({ method, path: [, ...names], body, principal }, at, signal) => {
        if (method === 'GET') {
          const found = await book.read(names.join('/'), signal)
          if (!found || found.expiration <= at) throw notFound(names.join('/'))
          return jsonReply(found.value)
        }
        if (method !== 'POST' || names.length > 0)
          throw requestFailure('BROKER_PATH_UNKNOWN', 'values are sent with POST')
        const { values, origin } = readImport(body, formatPrincipal(principal), at)
        await book.set(values, origin, at, signal)
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

function timeIn(text: string): Date {
  const time = dateTime(text)
  if (time) return time
  throw requestFailure('BROKER_REQUEST_INVALID', '"expires" is not a time (RFC 3339)')
}

const notFound = (name: string) =>
  failure('REFERENCE_NOT_FOUND', `there is no reference value ${JSON.stringify(name.slice(0, 200))}`)

const refused: Problem = { status: 400, variant: 'RvpsError', detail: 'the reference values were not taken' }
const problems = {
  REFERENCE_VALUE_INVALID: refused,
  REFERENCES_TOO_MANY: refused,
  REFERENCE_STATEMENT_INVALID: refused,
  REFERENCE_STATEMENT_REFUSED: { status: 403, variant: 'RvpsError', detail: 'the statement is not trusted' },
  REFERENCE_NOT_FOUND: { status: 404, variant: 'RvpsError', detail: 'no such reference value' },
  REFERENCES_BUSY: { status: 503, variant: 'RvpsError', detail: 'busy: ask again' },
} satisfies AdminHandlers['problems']
