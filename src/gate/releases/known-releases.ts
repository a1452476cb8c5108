import type { Digest } from '#oci/index.ts'
import type { Judged } from '../evidence.ts'
import type { Action } from '../types.ts'
import { type ProvedRelease, releaseIn, releaseKey } from './release.ts'

/** The newest release of one publisher's product that was let in here. */
export interface KnownRelease extends ProvedRelease {
  /** What was released under the number. */
  readonly digest: Digest
  /** When it was let in. */
  readonly seenAt: string
}

/** What a policy is told of releases: for each subject that is one, what was known before. */
export interface ReleaseFacts {
  readonly [subject: Digest]: readonly {
    readonly release: ProvedRelease
    readonly known?: KnownRelease
  }[]
}

/** Where the newest releases are remembered, across restarts. */
export interface ReleaseMemory {
  read(key: string): Promise<KnownRelease | undefined>
  /** Durable when it resolves. */
  write(key: string, release: KnownRelease): Promise<void>
  all(): Promise<readonly KnownRelease[]>
}

/** Actions that bring content in: the ones after which an older release is a rollback. */
const bringingIn: readonly Action[] = ['load', 'relocate', 'install', 'serve']

export class KnownReleases {
  readonly #memory: ReleaseMemory

  constructor(memory: ReleaseMemory) {
    this.#memory = memory
  }

  /** What is known about the releases among these; `undefined` where none of them is a release. */
  async about(judged: readonly Judged[]): Promise<ReleaseFacts | undefined> {
    const facts: Record<Digest, { release: ProvedRelease; known?: KnownRelease }[]> = {}
    for (const [digest, releases] of releasesOf(judged)) {
      facts[digest] = await Promise.all(
        releases.map(async (release) => {
          const known = await this.#memory.read(releaseKey(release))
          return { release, ...(known && { known }) }
        }),
      )
    }
    return Object.keys(facts).length > 0 ? facts : undefined
  }

  /** Remembers what was let in, never back to a lower number. */
  async admitted(action: Action, judged: readonly Judged[], at: Date): Promise<void> {
    if (!bringingIn.includes(action)) return
    for (const [digest, releases] of releasesOf(judged)) {
      for (const release of releases) {
        const key = releaseKey(release)
        const known = await this.#memory.read(key)
        if (known && known.sequence >= release.sequence) continue
        await this.#memory.write(key, { ...release, digest, seenAt: at.toISOString() })
      }
    }
  }

  all(): Promise<readonly KnownRelease[]> {
    return this.#memory.all()
  }
}

/** Releases that good proofs tell of, by what was released: the subject, or what holds it. */
function releasesOf(judged: readonly Judged[]): Map<Digest, ProvedRelease[]> {
  const found = new Map<Digest, ProvedRelease[]>()
  for (const { evidence } of judged) {
    for (const facts of evidence.attestations) {
      const release = releaseIn(facts)
      if (!release) continue
      const digest = facts.subject
      const others = found.get(digest) ?? []
      if (
        !others.some(
          (other) => releaseKey(other) === releaseKey(release) && other.sequence === release.sequence,
        )
      )
        found.set(digest, [...others, release])
    }
  }
  return found
}
