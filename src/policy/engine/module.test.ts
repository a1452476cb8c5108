import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { engineModule } from './module.ts'

const folder = import.meta.dirname

test('the engine is the one that scripts/build-regorus.sh made last', () => {
  const hash = createHash('sha256')
    .update(readFileSync(join(folder, 'regorus.wasm')))
    .digest('hex')
  assert.equal(readFileSync(join(folder, 'regorus.wasm.sha256'), 'utf8'), `${hash}  regorus.wasm\n`)
  assert.equal(engineModule().digest, `sha256:${hash}`)
})

test('the engine has no way out but a clock, chance and its standard error', () => {
  const imports = WebAssembly.Module.imports(engineModule().module).map(
    ({ module, name }) => `${module}.${name}`,
  )
  assert.deepEqual(imports.sort(), [
    'env.memory',
    'wasi_snapshot_preview1.clock_time_get',
    'wasi_snapshot_preview1.environ_get',
    'wasi_snapshot_preview1.environ_sizes_get',
    'wasi_snapshot_preview1.fd_write',
    'wasi_snapshot_preview1.proc_exit',
    'wasi_snapshot_preview1.random_get',
    'wasi_snapshot_preview1.sched_yield',
  ])
})
