import { Worker } from 'node:worker_threads'

/** Whether a password has this bcrypt hash. One at a time is enough: callers bound how many wait. */
export interface PasswordComparer extends AsyncDisposable {
  compare(password: string, hash: string): Promise<boolean>
}

/** Beside this module: TypeScript in a checkout, JavaScript in what is published. */
const workerScript = new URL(
  `./bcrypt-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
)

/** Compares in a thread, begun with the first question, that ends with `dispose` and never keeps the process alive. */
export function threadComparer(script: URL = workerScript): PasswordComparer {
  const waiting = new Map<number, { resolve(matches: boolean): void; reject(error: unknown): void }>()
  let worker: Worker | undefined
  let nextId = 0
  const start = (): Worker => {
    const started = new Worker(script)
    started.unref()
    started.on('message', ({ id, matches }: { id: number; matches: boolean }) => {
      waiting.get(id)?.resolve(matches)
      waiting.delete(id)
    })
    const stop = (error: unknown) => {
      if (worker === started) worker = undefined
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    }
    started.on('error', stop).on('exit', () => stop(new Error('the password thread has ended')))
    return started
  }
  return {
    compare(password, hash) {
      worker ??= start()
      const id = nextId++
      const { promise, resolve, reject } = Promise.withResolvers<boolean>()
      waiting.set(id, { resolve, reject })
      worker.postMessage({ id, password, hash })
      return promise
    },
    async [Symbol.asyncDispose]() {
      await worker?.terminate()
    },
  }
}
