// Runs in a thread of its own: bcrypt is meant to be slow, and must not keep the server's loop from turning.
import { parentPort } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

interface Question {
  readonly id: number
  readonly password: string
  readonly hash: string
}

parentPort?.on('message', ({ id, password, hash }: Question) => {
  let matches = false
  try {
    matches = compareSync(password, hash)
  } catch {
    // A malformed hash matches nothing.
  }
  parentPort?.postMessage({ id, matches })
})
