// One replica that appends to a log in PostgreSQL until it is told to end, or is killed:
//   log-postgres-writer.ts URL KEY-FILE NAME
// It prints a line `INDEX TEXT` for each entry that was acknowledged.
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeSync } from 'node:fs'
import { connectPostgres, noteSigner, openPostgresLog } from '#log/index.ts'
import { origin } from './log-postgres-origin.ts'

const [url, keyFile, name] = process.argv.slice(2) as [string, string, string]
const signer = noteSigner(origin, createPrivateKey(readFileSync(keyFile)))
await using database = await connectPostgres(url)
await using log = await openPostgresLog({ database, origin, signer })
let isEnding = false
process.once('SIGTERM', () => {
  isEnding = true
})
for (let at = 0; !isEnding; at += 5) {
  const texts = Array.from({ length: 5 }, (_, more) => `${name} ${at + more}`)
  const appended = await Promise.all(texts.map((text) => log.append(Buffer.from(text))))
  // In one write, so that a kill cuts between lines.
  writeSync(1, appended.map(({ index }, more) => `${index} ${texts[more]}\n`).join(''))
}
