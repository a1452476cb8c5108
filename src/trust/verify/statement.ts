import { isFailure, type Json, limits } from '#base/index.ts'
import { type Digest, digestAlgorithm, digestHex, isDigest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { imageSignatureType, statementPayloadType } from '../sign/statement.ts'
import { Fields, jsonIn } from './json-fields.ts'

/** What a signed statement says of its subject. */
export interface Said {
  readonly predicateType: string
  readonly predicate?: Json
  readonly annotations?: Readonly<Record<string, string>>
}

const statementTypes = ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1']

/**
 * Reads an in-toto statement (in-toto attestation spec v1, statement.md) and holds it against the content: one of
 * its subjects must have the content's digest.
 *
 * @throws PREDICATE_INVALID, SUBJECT_MISMATCH
 */
export function readStatement(payloadType: string, payload: Uint8Array, digests: readonly Digest[]): Said {
  if (payloadType !== statementPayloadType)
    throw failure(
      'PREDICATE_INVALID',
      `an envelope around ${JSON.stringify(payloadType.slice(0, 100))} is not a statement`,
    )
  return asPredicate(() => {
    const statement = new Fields(jsonIn(payload, limits.proofBytes, 'a statement'), 'the statement')
    if (!statementTypes.includes(statement.text('_type')))
      throw failure('PREDICATE_INVALID', 'the statement is of an unknown type')
    const subjects = statement
      .list('subject', limits.statementSubjects)
      .map((one) => new Fields(one, 'a subject'))
    const predicateType = statement.text('predicateType')
    const subject = subjects.find((one) => isAbout(one, digests))
    if (!subject) throw elsewhere(subjects, digests)
    const predicate = statement.value('predicate')
    const annotations = texts(subject.value('annotations'))
    return {
      predicateType,
      ...(predicate !== undefined && { predicate }),
      ...(annotations && { annotations }),
    }
  })
}

/** Any digest of ours must be there and equal; those of other kinds are passed over. */
function isAbout(subject: Fields, digests: readonly Digest[]): boolean {
  const set = subject.optionalObject('digest')
  return digests.some((digest) => set?.value(digestAlgorithm(digest)) === digestHex(digest))
}

function elsewhere(subjects: readonly Fields[], [digest]: readonly Digest[]) {
  const others = subjects.slice(0, 3).map((one) => {
    const value = one.optionalObject('digest')?.value('sha256')
    return isDigest(`sha256:${value}`) ? `sha256:${value}` : 'something else'
  })
  return failure(
    'SUBJECT_MISMATCH',
    `the statement is about ${others.join(', ') || 'nothing'}, not about ${digest}`,
  )
}

/**
 * Reads cosign's simple-signing document and holds it against the content (cosign SIGNATURE_SPEC.md).
 *
 * @throws PREDICATE_INVALID, SUBJECT_MISMATCH
 */
export function readSimpleSigning(payload: Uint8Array, digests: readonly Digest[]): Said {
  return asPredicate(() => {
    const document = new Fields(
      jsonIn(payload, limits.manifestBytes, 'a signed document'),
      'the signed document',
    )
    const critical = document
      .only('critical', 'optional')
      .object('critical')
      .only('identity', 'image', 'type')
    const type = critical.text('type')
    if (type !== 'cosign container image signature')
      throw failure(
        'PREDICATE_INVALID',
        `the signed document is of the type ${JSON.stringify(type.slice(0, 100))}`,
      )
    const named = critical.object('image').only('docker-manifest-digest').text('docker-manifest-digest')
    if (!digests.includes(named as Digest)) {
      const other = isDigest(named) ? named : 'something else'
      throw failure('SUBJECT_MISMATCH', `the signature is over ${other}, not over ${digests[0]}`)
    }
    const annotations = texts(document.value('optional'))
    return { predicateType: imageSignatureType, ...(annotations && { annotations }) }
  })
}

/** The texts of an object; other values are not annotations. */
function texts(value: Json | undefined): Record<string, string> | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  const found = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

/** The signature was good: what is wrong with its content is told under a code of its own. */
function asPredicate<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!isFailure(cause, 'PROOF_MALFORMED')) throw cause
    throw failure('PREDICATE_INVALID', cause.message, { cause })
  }
}
