import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type PreparedRules, prepareRules, type Rules } from '#gate/index.ts'

/** Most files whose change is looked for. */
const maxFiles = 1000

/** Trusted roots are not kept beside the policy: all is read again after so long. */
const anywayMs = 60_000

/** The rules of a running server: read again when their files change. */
export interface WatchedRules extends Disposable {
  current(): PreparedRules
  /** Reads them again now. Never rejects: what cannot be read leaves the rules as they are, and is told. */
  reload(): Promise<void>
}

/**
 * Loads rules, and again whenever something in the folder of `path` changes: a file that was written, a ConfigMap
 * that was swapped. Rules that cannot be read are told of and not used; those before stay in force.
 *
 * @throws the codes of `load`, the first time
 */
export async function watchRules(
  path: string,
  load: () => Promise<Rules>,
  tell: (error?: unknown) => void,
  everyMs = 1000,
): Promise<WatchedRules> {
  let stamp = await stampOf(path)
  let rules = prepareRules(await load())
  let busy: Promise<void> | undefined
  const read = async () => {
    try {
      const next = prepareRules(await load())
      if (next.policy.digest === rules.policy.digest && next.trust.digest === rules.trust.digest) return
      rules = next
      tell()
    } catch (error) {
      tell(error)
    }
  }
  const reload = () => {
    busy ??= read().finally(() => {
      busy = undefined
    })
    return busy
  }
  let readAt = performance.now()
  const timer = setInterval(async () => {
    const now = await stampOf(path).catch(() => stamp)
    if (now === stamp && performance.now() - readAt < anywayMs) return
    stamp = now
    readAt = performance.now()
    await reload()
  }, everyMs)
  timer.unref()
  return { current: () => rules, reload, [Symbol.dispose]: () => clearInterval(timer) }
}

/** Another text when a file in the policy's folder is another one. */
async function stampOf(path: string): Promise<string> {
  const isFolder = (await stat(path)).isDirectory()
  const folder = isFolder ? path : dirname(path)
  const names = (await readdir(folder, { recursive: isFolder })).sort().slice(0, maxFiles)
  const stamps = await Promise.all(
    names.map(async (name) => {
      const { ino, size, mtimeMs } = await stat(join(folder, name)).catch(() => ({
        ino: 0,
        size: 0,
        mtimeMs: 0,
      }))
      return `${name} ${ino} ${size} ${mtimeMs}`
    }),
  )
  return stamps.join('\n')
}
