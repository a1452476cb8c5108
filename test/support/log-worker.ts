// Appends to a log until the test kills it: log-worker.ts DIRECTORY KEY-FILE ORIGIN NAME
// A line `INDEX TEXT` is written for each entry that was acknowledged.
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeSync } from 'node:fs'
import { noteSigner, openLog } from '#log/index.ts'

const [directory, keyFile, origin, name] = process.argv.slice(2) as [string, string, string, string]
const signer = noteSigner(origin, createPrivateKey(readFileSync(keyFile)))
const log = await openLog({ directory, origin, signer })
for (let at = 0; ; ) {
  // Groups of many sizes, so that tiles become full in the middle of some.
  const texts = Array.from({ length: 1 + (at % 61) }, () => `${name} ${at++}`)
  const appended = await Promise.all(texts.map((text) => log.append(Buffer.from(text))))
  writeSync(1, appended.map(({ index }, more) => `${index} ${texts[more]}\n`).join(''))
}
