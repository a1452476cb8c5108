import type { Keyring } from './keyring.ts'

/** A keyring that others may rotate while it is in use. */
export interface ChangingKeyring {
  /** As it was read last. */
  readonly last: Keyring
  /** The one to seal with: read again where that was a while ago. */
  current(): Promise<Keyring>
  /** For a key that is not in it: reads again now. */
  readAgain(): Promise<void>
}

export type KeyringSource = Keyring | (() => Keyring) | ChangingKeyring

export function changing(source: KeyringSource): ChangingKeyring {
  if ('readAgain' in source) return source
  const get = typeof source === 'function' ? source : () => source
  return {
    get last() {
      return get()
    },
    current: async () => get(),
    readAgain: async () => undefined,
  }
}

/**
 * The keyring of a file that others rewrite: before something is sealed it is looked at again, once in `refreshMs` for
 * all who ask. A file that cannot be used changes nothing: the keys that were there still open what they sealed.
 *
 * @param read the file's bytes
 * @param parse what they hold; slow where a password opens it, and only called where they are others than before
 */
export async function watchedKeyring(
  read: () => Promise<Uint8Array>,
  parse: (bytes: Uint8Array) => Promise<Keyring>,
  refreshMs: number = keyringRefreshMs,
): Promise<ChangingKeyring> {
  let bytes = await read()
  let last = await parse(bytes)
  let readAt = performance.now()
  let reading: Promise<void> | undefined

  async function look(): Promise<void> {
    readAt = performance.now()
    try {
      const now = await read()
      if (Buffer.from(bytes).equals(now)) return
      last = await parse(now)
      bytes = now
    } catch {
      // Being replaced, or replaced by something that is none.
    }
  }
  const readAgain = () => {
    reading ??= look().finally(() => {
      reading = undefined
    })
    return reading
  }
  return {
    get last() {
      return last
    },
    async current() {
      if (performance.now() - readAt >= refreshMs) await readAgain()
      return last
    },
    readAgain,
  }
}

/** For so long something may be sealed with the key before the last. */
export const keyringRefreshMs = 500
