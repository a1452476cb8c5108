import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { isFailure } from '#base/index.ts'
import { type CnabBundle, formatBundle } from '#bundle/index.ts'
import { makeReceipt, qrPng, qrText, type ReceiptRecord } from '#gate/index.ts'
import { failure } from '../codes.ts'
import type { ReceiptMakeFlags } from '../commands/receipt.ts'
import type { Context } from '../context.ts'
import { auditDirectory, openAuditPlace } from '../gate/audit-place.ts'
import { contentDigest } from '../gate/content-digest.ts'
import { lastDecision } from '../gate/last-decision.ts'
import { openStore } from '../life-cycle.ts'
import { openSigner } from '../open-signer.ts'
import { openSession, type Session } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: ReceiptMakeFlags, what: string): Promise<void> {
  await using session = await openSession(this, flags)
  const done = (await installed(this, session, what)) ?? (await letIn(session, what))
  const signer = flags.key === undefined ? undefined : await openSigner(this, flags.key, flags)
  await using audit = await openAuditPlace(auditDirectory(this, session.settings, flags), session.signal)
  const decision = await lastDecision(audit, done.content)
  if (decision === undefined && done.action === 'verified') {
    throw failure('RECEIPT_NOTHING', `nothing in the audit log says that ${what} was let in here`)
  }
  const { text, index } = await makeReceipt(
    audit,
    audit.log,
    {
      at: new Date().toISOString(),
      site: flags.site ?? hostname(),
      ...done,
      ...(decision !== undefined && { decision }),
      ...(flags.challenge !== undefined && { challenge: flags.challenge }),
    },
    signer,
  )
  if (flags.png !== undefined) await writeFile(resolve(this.cwd, flags.png), await qrPng(text))
  if (flags.qr) this.process.stderr.write(`${await qrText(text)}\n`)
  const sizeBytes = Buffer.byteLength(text)
  const { verifierKey } = audit
  print(this, session.format, { entry: index, ...done, sizeBytes, verifierKey, receipt: text }, () =>
    text.trimEnd(),
  )
}

type Done = Pick<ReceiptRecord, 'content' | 'name' | 'version' | 'action'>

const doneBy = { install: 'installed', upgrade: 'upgraded', uninstall: 'uninstalled' } as const

/** What the last action of an installation was, where there is one of this name. */
async function installed(context: Context, session: Session, name: string): Promise<Done | undefined> {
  const store = await openStore(context, session)
  try {
    const history = await store.history(name)
    const last = history.at(-1)
    if (!last) return undefined
    const { bundle, action } = last.claim
    // A later action of the same bundle does not say again where it came from.
    const same = history.filter(
      ({ claim }) => claim.bundleReference !== undefined && sameBundle(claim.bundle, bundle),
    )
    const bundleReference = same.at(-1)?.claim.bundleReference
    const [image] = bundle.invocationImages
    const digest = bundleReference?.split('@')[1] ?? image?.contentDigest
    if (digest === undefined || !Object.hasOwn(doneBy, action)) return undefined
    return {
      content: digest as Done['content'],
      name: bundle.name,
      version: bundle.version,
      action: doneBy[action as keyof typeof doneBy],
    }
  } catch (error) {
    if (isFailure(error, 'INSTALLATION_NOT_FOUND') || isFailure(error, 'INSTALLATION_NAME')) return undefined
    throw error
  }
}

const sameBundle = (one: CnabBundle, other: CnabBundle): boolean =>
  Buffer.compare(formatBundle(one), formatBundle(other)) === 0

async function letIn(session: Session, what: string): Promise<Done> {
  return { content: await contentDigest(session, what), action: 'verified' }
}
