// One replica that decides and records in an audit log in PostgreSQL until it is told to end, or is killed:
//   audit-postgres-writer.ts URL KEY-FILE NAME
// It prints a line `INDEX NAME` for each evaluation that was acknowledged.
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeSync } from 'node:fs'
import { openPostgresAudit, PolicyGate } from '#gate/index.ts'
import { auditOrigin, auditQuestion } from './audit-postgres-question.ts'

const [url, keyFile, name] = process.argv.slice(2) as [string, string, string]
const key = createPrivateKey(readFileSync(keyFile))
await using audit = await openPostgresAudit({ url, origin: auditOrigin, key })
const gate = new PolicyGate({ audit })
const ending = new AbortController()
process.once('SIGTERM', () => ending.abort())
for (let at = 0; !ending.signal.aborted; at += 4) {
  const asked = Array.from({ length: 4 }, (_, more) => `${name} ${at + more}`)
  const answers = await Promise.all(
    asked.map((guest) => gate.ask(auditQuestion(guest), new Date(), new AbortController().signal)),
  )
  // In one write, so that a kill cuts between lines.
  writeSync(1, answers.map(({ entry }, more) => `${entry} ${asked[more]}\n`).join(''))
}
