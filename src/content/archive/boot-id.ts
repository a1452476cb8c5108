import { readFile } from 'node:fs/promises'

/** A text that changes with every start of the kernel; a random one where the kernel tells none. */
export async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  } catch {
    return crypto.randomUUID()
  }
}
