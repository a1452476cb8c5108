// From a real invocation image through a driver of this machine to claims in files.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { checkBundle } from '../bundle-file.ts'
import { ClaimStore } from '../claims/store.ts'
import { detectDrivers } from '../drivers/detect-drivers.ts'
import { NamespacesDriver } from '../drivers/namespaces/driver.ts'
import { OciRuntimeDriver } from '../drivers/oci-runtime/driver.ts'
import { logText, shellImage } from '../drivers/test-image.suite.ts'
import { runAction } from './run-action.ts'

const base = mkdtempSync(join(tmpdir(), 'sealift-bundle-'))
after(() => rmSync(base, { recursive: true, force: true }))
const reports = detectDrivers()

for (const Driver of [NamespacesDriver, OciRuntimeDriver]) {
  const driver = new Driver({ workDirectory: join(base, `work-${Driver.name}`) })
  const report = reports.find(({ name }) => name === driver.name)
  const skip = report?.available ? false : `this machine cannot: ${report?.why}`
  test(`install and uninstall with ${driver.name}`, { skip }, async () => {
    const image = await shellImage(
      'echo "$CNAB_ACTION of $CNAB_INSTALLATION_NAME"; cat /cnab/app/relocation-mapping.json; ' +
        'cat relative/port > /cnab/app/outputs/port; [ -e /empty ] && cat /cnab/claim.json > /dev/null',
    )
    const { digest } = image.root
    const bundle = checkBundle({
      schemaVersion: 'v1.2.0',
      name: 'app',
      version: '1.0.0',
      invocationImages: [{ image: 'example/run:1', contentDigest: digest }],
      definitions: { port: { type: 'integer', default: 8080 }, text: { type: 'string' } },
      parameters: {
        port: { definition: 'port', destination: { path: 'relative/port' } },
        empty: { definition: 'text', destination: { path: '/empty' } },
      },
      outputs: { port: { definition: 'port', path: '/cnab/app/outputs/port' } },
    })
    const mapping = { 'example/run:1': `registry.local/run@${digest}` }
    const store = await ClaimStore.open(join(base, `state-${Driver.name}`))
    const log = logText()
    const asked: string[] = []
    const context = {
      store,
      driver,
      onLog: log.onLog,
      locate: async (reference: string) => {
        asked.push(reference)
        return image
      },
    }
    const signal = new AbortController().signal
    const { outputs } = await runAction({ name: 'it', action: 'install', bundle, mapping }, context, signal)
    assert.equal(Buffer.from(outputs.get('port')!).toString(), '8080')
    await runAction({ name: 'it', action: 'uninstall' }, context, signal)
    assert.match(log.text(), /install of it\n\{"example\/run:1":"registry\.local.*\}uninstall of it\n/)
    assert.deepEqual(asked, [mapping['example/run:1'], mapping['example/run:1']])
  })
}
