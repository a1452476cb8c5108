import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { failure } from '../codes.ts'

/** The compiled engine, and the digest of its bytes: part of what a decision depends on. */
export interface EngineModule {
  readonly module: WebAssembly.Module
  /** `sha256:...` */
  readonly digest: string
}

let loaded: EngineModule | undefined

/**
 * Reads and compiles the engine at the first call (some 30 ms); free from then on. The module stands beside this
 * file in the sources, and beside the bundle in the published package.
 *
 * @throws POLICY_ENGINE_FAILED
 */
export function engineModule(): EngineModule {
  if (loaded) return loaded
  const path = join(import.meta.dirname, 'regorus.wasm')
  try {
    const bytes = readFileSync(path)
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    loaded = { module: new WebAssembly.Module(bytes), digest }
    return loaded
  } catch (cause) {
    throw failure('POLICY_ENGINE_FAILED', `the policy engine at ${path} cannot be loaded`, { cause })
  }
}
