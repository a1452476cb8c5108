import { detectNamespaces } from './namespaces/detect.ts'
import { detectOciRuntime } from './oci-runtime/detect.ts'
import type { DriverReport } from './probe.ts'

/** What this machine can run invocation images with, the best first, and why not with the others. Tried, not guessed. */
export function detectDrivers(): DriverReport[] {
  return [detectOciRuntime(), detectNamespaces()].map(({ name, available, why }) => ({
    name,
    available,
    why,
  }))
}
