import type { CnabBundle, ExtensionReport } from '#bundle/index.ts'
import { bytes, oneLine } from './shell/print.ts'

/** What a bundle asks for and offers, as `inspect` shows it. */
export interface BundleFacts {
  readonly name: string
  readonly version: string
  readonly schemaVersion: string
  readonly description?: string
  readonly actions: readonly string[]
  readonly parameters: readonly { name: string; required: boolean; description?: string }[]
  readonly credentials: readonly { name: string; required: boolean; description?: string }[]
  readonly outputs: readonly string[]
  readonly images: readonly {
    name: string
    image: string
    imageType: string
    contentDigest?: string
    sizeBytes?: number
  }[]
  readonly extensions: readonly ExtensionReport[]
}

/** @param report `extensionReport` of the bundle room, which is loaded only where there is a bundle */
export function bundleFacts(
  bundle: CnabBundle,
  report: (bundle: CnabBundle) => ExtensionReport[],
): BundleFacts {
  const { name, version, schemaVersion, description, invocationImages, images = {} } = bundle
  const inputs = (group: 'parameters' | 'credentials') =>
    Object.entries(bundle[group] ?? {}).map(([key, { required = false, description }]) => ({
      name: key,
      required,
      ...(description !== undefined && { description }),
    }))
  const all = [
    ...invocationImages.map((image) => ['(invocation)', image] as const),
    ...Object.entries(images),
  ]
  return {
    name,
    version,
    schemaVersion,
    ...(description !== undefined && { description }),
    actions: ['install', 'upgrade', 'uninstall', ...Object.keys(bundle.actions ?? {})],
    parameters: inputs('parameters'),
    credentials: inputs('credentials'),
    outputs: Object.keys(bundle.outputs ?? {}),
    images: all.map(([key, { image, imageType = 'oci', contentDigest, size }]) => ({
      name: key,
      image,
      imageType,
      ...(contentDigest !== undefined && { contentDigest }),
      ...(size !== undefined && { sizeBytes: size }),
    })),
    extensions: report(bundle),
  }
}

export function bundleLines(facts: BundleFacts): string[] {
  const inputs = (list: BundleFacts['parameters']) =>
    list.map(({ name, required }) => (required ? `${name} (required)` : name)).join(', ')
  const line = (label: string, text: string) => (text === '' ? [] : [`  ${label.padEnd(13)}${oneLine(text)}`])
  return [
    oneLine(`Bundle ${facts.name} ${facts.version} (CNAB ${facts.schemaVersion})`),
    ...line('', facts.description ?? ''),
    ...line('Actions:', facts.actions.join(', ')),
    ...line('Parameters:', inputs(facts.parameters)),
    ...line('Credentials:', inputs(facts.credentials)),
    ...line('Outputs:', facts.outputs.join(', ')),
    ...line(
      'Requires:',
      facts.extensions
        .map(({ name, supported }) => (supported ? name : `${name} (not supported)`))
        .join(', '),
    ),
    '  Images:',
    ...facts.images.map(({ name, image, imageType, sizeBytes }) => {
      const size = sizeBytes === undefined || imageType === 'oci' ? '' : `, ${bytes(sizeBytes)}`
      return oneLine(`    ${name}: ${image} (${imageType}${size})`)
    }),
  ]
}
