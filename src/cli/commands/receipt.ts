import { buildCommand, buildRouteMap } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type PasswordFlags,
  passwordFlags,
  text,
} from '../flags.ts'
import { gateFlags } from '../gate/flags.ts'

export type ReceiptMakeFlags = FormatFlag &
  PasswordFlags & {
    readonly audit?: string
    readonly site?: string
    readonly key?: string
    readonly challenge?: string
    readonly png?: string
    readonly qr: boolean
  }

const make = buildCommand<ReceiptMakeFlags, [string], Context>({
  loader: async () => (await import('../run/receipt-make.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...passwordFlags,
      audit: gateFlags.audit,
      site: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'NAME',
        brief: 'Who you are; the name of this machine where it is not said',
      },
      key: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'FILE',
        brief: 'Sign it with this key too (Ed25519 or P-256); the log’s own signature is always there',
      },
      challenge: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'TEXT',
        brief: 'What the near side asked to be repeated',
      },
      png: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'FILE',
        brief: 'Write it as a QR code into this PNG file',
      },
      qr: { kind: 'boolean', default: false, brief: 'Show it as a QR code on stderr' },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: text,
          placeholder: 'INSTALLATION|LOCATION',
          brief: 'An installation, or an archive, oci:DIR or reference that was let in',
        },
      ],
    },
  },
  docs: {
    brief: 'Prove to the near side what was verified or installed here',
    fullDescription: described(
      'Records in the audit log what was done with a content, and prints the proof: signed, with its place in the log, small enough for a QR code. The far side of a gap answers so: a photo, a printout, a few lines read over the phone.',
      [
        'sealift receipt make shop > shop.receipt',
        'sealift receipt make app.tgz --site oilrig-7 --key site.key --png receipt.png',
      ],
    ),
  },
})

export type ReceiptVerifyFlags = FormatFlag & {
  readonly logKey: readonly string[]
  readonly key?: readonly string[]
  readonly content?: string
  readonly challenge?: string
}

const verify = buildCommand<ReceiptVerifyFlags, [string], Context>({
  loader: async () => (await import('../run/receipt-verify.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      logKey: {
        kind: 'parsed',
        parse: String,
        variadic: true,
        placeholder: 'VKEY',
        brief: 'The verifier key of the far side’s log, a text or a file (log.vkey in its audit folder)',
      },
      key: {
        kind: 'parsed',
        parse: String,
        variadic: true,
        optional: true,
        placeholder: 'FILE',
        brief: 'A public key that must have signed it',
      },
      content: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'LOCATION|DIGEST',
        brief: 'What was sent: the receipt must be for it',
      },
      challenge: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'TEXT',
        brief: 'What the receipt must repeat',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'FILE', brief: 'The receipt; - for stdin' }],
    },
  },
  docs: {
    brief: 'Check a receipt from the far side, with nothing but its text and the keys you know',
    fullDescription: described(
      'Checks the log’s signature and the proof that the entry is in it, who signed it, and that it is for the content that was sent. Exits with 5 where it is not.',
      [
        'sealift receipt verify shop.receipt --log-key oilrig-7.vkey --content app.tgz',
        'zbarimg --raw receipt.png | sealift receipt verify - --log-key oilrig-7.vkey --key oilrig-7.pub',
      ],
    ),
  },
})

/** `sealift receipt ...` */
export const receipt = buildRouteMap<'make' | 'verify', Context>({
  routes: { make, verify },
  docs: { brief: 'The answer that comes back over a gap' },
})
