import { type SecretLimits, secretLimits } from '#base/index.ts'
import { failure } from './codes.ts'

/** One name of a key: nothing that a file system, a URI or a query could take for more than a name. */
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.:@+=-]*$/
const prefixPattern = /^[A-Za-z0-9_][A-Za-z0-9_.:@+=/-]*$/

type KeyLimits = Pick<SecretLimits, 'keyLength' | 'keyNames' | 'nameLength'>

/** Whether a text can be one name of a key. */
export const isKeyName = (text: string, nameLength: number = secretLimits.nameLength): boolean =>
  text.length <= nameLength && namePattern.test(text)

/**
 * The names of a key, `a/b/c`. Whoever makes keys checks them; every store does again. All of them are ASCII, so
 * that the order of their bytes is the order of their texts.
 *
 * @throws SECRET_KEY_INVALID, without the key: it may be anything
 */
export function keyNames(key: string, limits: KeyLimits = secretLimits): readonly string[] {
  if (key.length > limits.keyLength) {
    throw failure(
      'SECRET_KEY_INVALID',
      `a key of ${key.length} characters is over the limit of ${limits.keyLength}`,
    )
  }
  const names = key.split('/')
  if (names.length > limits.keyNames) {
    throw failure(
      'SECRET_KEY_INVALID',
      `a key of ${names.length} names is over the limit of ${limits.keyNames}`,
    )
  }
  if (!names.every((name) => isKeyName(name, limits.nameLength))) {
    throw failure('SECRET_KEY_INVALID', 'a key is not made of names with / between them')
  }
  return names
}

/** Whether keys can begin so; with any other prefix there are none. */
export const isKeyPrefix = (prefix: string): boolean => prefix === '' || prefixPattern.test(prefix)

/** @throws SECRET_VALUE_TOO_LARGE */
export function checkStored(
  value: Uint8Array | null,
  limits: Pick<SecretLimits, 'storedBytes'> = secretLimits,
): void {
  if (value !== null && value.length > limits.storedBytes) {
    throw failure(
      'SECRET_VALUE_TOO_LARGE',
      `a value of ${value.length} bytes is over the limit of ${limits.storedBytes}`,
    )
  }
}

/** How many keys one page has: what was asked for, at most what the limit allows. */
export const pageSize = (asked: number | undefined, most: number = secretLimits.pageKeys): number =>
  Math.max(0, Math.min(asked ?? most, most))

/** Another one with each change, and never again the same: a key that was removed and made again is a new one. */
export const newRevision = (): string => crypto.randomUUID()
