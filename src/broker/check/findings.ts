import { isFailure } from '#base/index.ts'

/** One thing that was looked at. */
export interface Finding {
  /** `stores/main`, `policies/resource`: what it is about. */
  readonly what: string
  readonly ok: boolean
  /** Of what is wrong. */
  readonly code?: string
  readonly message: string
}

/** What was found so far, in its order. */
export class Findings {
  readonly all: Finding[] = []

  ok(what: string, message: string): void {
    this.all.push({ what, ok: true, message })
  }

  wrong(what: string, error: unknown): void {
    if (!isFailure(error)) throw error
    const { code, message } = error
    this.all.push({ what, ok: false, code, message })
  }

  /** @param look says what is good, or throws what is wrong. @returns whether it was good */
  async look(what: string, look: () => Promise<string> | string): Promise<boolean> {
    try {
      this.ok(what, await look())
      return true
    } catch (error) {
      this.wrong(what, error)
      return false
    }
  }
}
