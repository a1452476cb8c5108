import { resolve } from 'node:path'
import { text as streamText } from 'node:stream/consumers'
import { limits } from '#base/index.ts'
import { receiptBytes, verifyReceipt } from '#gate/index.ts'
import { parsePublicKey } from '#keys/index.ts'
import { noteVerifier, parseNoteKey } from '#log/index.ts'
import { isDigest } from '#oci/index.ts'
import type { ReceiptVerifyFlags } from '../commands/receipt.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { contentDigest } from '../gate/content-digest.ts'
import { textOrFile } from '../gate/text-or-file.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { oneLine, print } from '../shell/print.ts'

export async function run(this: Context, flags: ReceiptVerifyFlags, file: string): Promise<void> {
  await using session = await openSession(this, flags)
  const text =
    file === '-'
      ? await streamText(process.stdin)
      : Buffer.from(await readWhole(resolve(this.cwd, file), 2 * receiptBytes)).toString()
  const logKeys = await Promise.all(flags.logKey.map((key) => textOrFile(this, key)))
  const known = logKeys.map((key) => parseNoteKey(key.trim()))
  const keys = await Promise.all(
    (flags.key ?? []).map(async (path) =>
      parsePublicKey(await readWhole(resolve(this.cwd, path), limits.keyBytes)),
    ),
  )
  const { content, challenge } = flags
  const digest =
    content === undefined ? undefined : isDigest(content) ? content : await contentDigest(session, content)
  const { record, index, checkpoint, signer } = await verifyReceipt(text, {
    origin: originOf(text, known),
    verifiers: known.map(noteVerifier),
    keys,
    ...(digest && { content: digest }),
    ...(challenge !== undefined && { challenge }),
  })
  const value = { record, entry: index, log: checkpoint.origin, ...(signer && { signer: signer.id }) }
  print(this, session.format, value, () => {
    const color = paint(this, this.process.stdout)
    const what = [record.name, record.version].filter((part) => part !== undefined).join(' ')
    return [
      `${color.green('verified')}: ${oneLine(record.site)} has ${record.action} ${oneLine(what) || 'it'} at ${record.at}`,
      `content  ${record.content}`,
      `log      ${checkpoint.origin}, entry ${index} of ${checkpoint.size}`,
      signer ? `signed   by ${signer.algorithm} key ${signer.id}` : 'signed   by the log alone',
    ].join('\n')
  })
}

/** The log that is named in the receipt, where it is one of those that are known: each has a key of its own. */
function originOf(text: string, known: readonly { readonly name: string }[]): string {
  const lines = text.split('\n')
  return known.find(({ name }) => lines.includes(name))?.name ?? known[0]?.name ?? ''
}
