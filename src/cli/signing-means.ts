import { resolve } from 'node:path'
import { limits } from '#base/index.ts'
import type { IdentityTokens, Signatory, SigningMeans, SigningServices } from '#trust/index.ts'
import { failure } from './codes.ts'
import type { Context } from './context.ts'
import { readWhole } from './files.ts'
import { openSigner } from './open-signer.ts'
import type { SigningFlags } from './signing-flags.ts'

/**
 * Who signs and who bears witness, by the flags: a key, or an identity with a certificate for it.
 *
 * @throws USAGE, SIGNING_CONFIG_INVALID, SIGNING_URL_INVALID, and the codes of `openSigner`
 */
export async function openSigningMeans(context: Context, flags: SigningFlags): Promise<SigningMeans> {
  const { timeStampAuthority, transparencyLog } = await import('#trust/index.ts')
  const services = await servicesOf(context, flags)
  const witnesses = [
    ...services.logs.map(({ url, version }) => transparencyLog(url, version)),
    ...services.timeStampUrls.map((url) => timeStampAuthority(url)),
  ]
  return { signatory: await signatoryOf(context, flags, services), witnesses }
}

/** What the flags name, in place of what the configuration names of the same kind. */
async function servicesOf(context: Context, flags: SigningFlags): Promise<SigningServices> {
  const { fulcioUrl, rekorUrl, rekorVersion = 1, timestampUrl } = flags
  if (flags.rekorVersion !== undefined && rekorUrl === undefined) {
    throw failure('USAGE', '--rekor-version belongs to --rekor-url')
  }
  const { parseSigningConfig } = await import('#trust/index.ts')
  const configured =
    flags.signingConfig === undefined
      ? { logs: [], timeStampUrls: [] }
      : parseSigningConfig(
          await readWhole(resolve(context.cwd, flags.signingConfig), limits.answerBytes),
          new Date(),
        )
  return {
    ...configured,
    ...(fulcioUrl !== undefined && { fulcioUrl }),
    ...(rekorUrl !== undefined && { logs: [{ url: rekorUrl, version: rekorVersion }] }),
    ...(timestampUrl !== undefined && timestampUrl.length > 0 && { timeStampUrls: timestampUrl }),
  }
}

async function signatoryOf(
  context: Context,
  flags: SigningFlags,
  services: SigningServices,
): Promise<Signatory> {
  const { key, identityTokenFile } = flags
  const { keylessSignatory, keySignatory } = await import('#trust/index.ts')
  if (key !== undefined) {
    const other = identityTokenFile ?? flags.fulcioUrl
    if (other !== undefined) {
      throw failure(
        'USAGE',
        '--key signs with a key; --identity-token-file and --fulcio-url sign without one',
      )
    }
    return keySignatory(await openSigner(context, key, flags))
  }
  if (services.fulcioUrl === undefined) {
    throw failure('USAGE', 'nothing says with what to sign', {
      hint: 'Give --key FILE, or --fulcio-url URL (or --signing-config FILE) with an identity token.',
    })
  }
  if (!services.logs.some(({ version }) => version === 1) && services.timeStampUrls.length === 0) {
    throw failure('USAGE', 'a keyless signature needs somebody who says when it was made', {
      hint: 'Give --timestamp-url URL, or --rekor-url URL of a Rekor version 1.',
    })
  }
  return keylessSignatory({
    fulcioUrl: services.fulcioUrl,
    tokens: await tokensOf(context, identityTokenFile),
  })
}

/** @throws USAGE where there is none */
async function tokensOf(context: Context, file: string | undefined): Promise<IdentityTokens> {
  const { githubTokens, givenToken } = await import('#trust/index.ts')
  if (file !== undefined) {
    return givenToken(Buffer.from(await readWhole(resolve(context.cwd, file), limits.tokenBytes)).toString())
  }
  const given = context.env.SIGSTORE_ID_TOKEN
  if (given) return givenToken(given)
  const github = githubTokens(context.env)
  if (github) return github
  throw failure('USAGE', 'a keyless signature needs an identity token', {
    hint: 'Give --identity-token-file FILE, or set SIGSTORE_ID_TOKEN.',
  })
}
