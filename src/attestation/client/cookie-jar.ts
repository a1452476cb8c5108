/** The session cookie of one broker: the last one that it set. */
export class CookieJar {
  #session: string | undefined

  /** Takes the session out of `Set-Cookie` fields; others are of no use here. */
  take(fields: readonly string[]): void {
    for (const field of fields) {
      const [pair = ''] = field.split(';', 1)
      const session = /^\s*kbs-session-id=([\w-]{1,256})\s*$/.exec(pair)?.[1]
      if (session !== undefined) this.#session = session
    }
  }

  /** The `Cookie` field, where there is a session. */
  header(): string | undefined {
    return this.#session === undefined ? undefined : `kbs-session-id=${this.#session}`
  }
}
