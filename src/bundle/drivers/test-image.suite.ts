// An invocation image of a shell and a few programs of this machine, and operations on it: for tests of drivers.
import { existsSync } from 'node:fs'
import { MemoryStore } from '#content/index.ts'
import { buildImage, type ExecutionSpec, type LayerSpec } from '#image/index.ts'
import type { ImageLocation, LogEvent, Operation } from '../runtime/operation.ts'
import { hostPrograms } from './test-programs.suite.ts'

/** Builds an image whose /cnab/app/run is this shell script. */
export async function shellImage(
  script: string,
  extra: LayerSpec = {},
  config: ExecutionSpec = {},
): Promise<ImageLocation> {
  const source = new MemoryStore()
  const root = await buildImage(
    {
      layers: [
        { executables: hostPrograms.filter(({ from }) => existsSync(from)) },
        { files: [{ content: `#!/bin/sh\nset -eu\n${script}\n`, to: '/cnab/app/run', mode: 0o755 }] },
        extra,
      ],
      config,
      compression: 'none',
    },
    source,
  )
  return { source, root }
}

/** An operation with nothing in it but what is said. */
export function operation(image: ImageLocation, parts: Partial<Operation> = {}): Operation {
  return {
    installation: 'test',
    action: 'install',
    revision: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    reference: 'test',
    image,
    environment: {},
    files: new Map(),
    outputs: new Map(),
    ...parts,
  }
}

/** Gathers a log as text. */
export function logText(): { readonly onLog: (event: LogEvent) => void; readonly text: () => string } {
  const chunks: Uint8Array[] = []
  return { onLog: ({ bytes }) => void chunks.push(bytes), text: () => Buffer.concat(chunks).toString() }
}
