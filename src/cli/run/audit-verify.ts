import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import { auditReader, DirectoryObjects, missingOf } from '#gate/index.ts'
import { directoryTiles, noteVerifier, parseNoteKey, readLog, verifyCheckpoint } from '#log/index.ts'
import type { Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { AuditVerifyFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { auditDirectory, readAuditPlace } from '../gate/audit-place.ts'
import { textOrFile } from '../gate/text-or-file.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: AuditVerifyFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = auditDirectory(this, session.settings, flags)
  const given = flags.logKey === undefined ? undefined : await textOrFile(this, flags.logKey)
  const verifierKey = given ?? (await readAuditPlace(directory)).verifierKey
  const key = parseNoteKey(verifierKey.trim())
  const trust = { origin: key.name, verifiers: [noteVerifier(key)] }
  const earlier =
    flags.checkpoint === undefined
      ? undefined
      : verifyCheckpoint(await readFile(resolve(this.cwd, flags.checkpoint)), trust)
  const log = readLog({
    store: directoryTiles(join(directory, 'log'), nodeFileSystem),
    ...trust,
    ...(earlier && { remembered: earlier }),
  })
  const audit = auditReader(log, new DirectoryObjects(join(directory, 'objects'), nodeFileSystem))
  const { size, root, origin } = await log.checkpoint()
  const problems: { entry: number; what: string }[] = []
  const seen = new Set<Digest>()
  for await (const { index, record } of audit.records(0, size)) {
    session.signal.throwIfAborted()
    for (const { digest, why } of await missingOf(audit, record, seen)) {
      problems.push({ entry: index, what: why ?? digest })
    }
  }
  const ok = problems.length === 0
  const value = {
    ok,
    origin,
    entries: size,
    root: Buffer.from(root).toString('base64'),
    objects: seen.size,
    ...(earlier && { continues: earlier.size }),
    problems,
  }
  print(this, session.format, value, () => {
    const color = paint(this, this.process.stdout)
    const since = earlier ? `; continues the checkpoint at size ${earlier.size}` : ''
    return [
      ...problems.map(({ entry, what }) => `${color.red('missing')}  entry ${entry}: ${what}`),
      `${ok ? color.green('verified') : color.red('not whole')} ${origin}: ${size} ${size === 1 ? 'entry' : 'entries'}, ${seen.size} things that they name${since}`,
    ].join('\n')
  })
  if (!ok) {
    throw failure(
      'VERIFICATION_FAILED',
      `${problems.length} of the things that the audit log names are missing`,
      {
        detail: { problems },
      },
    )
  }
}
