import type { ShownOutput } from '#bundle/index.ts'
import { bytes } from './shell/print.ts'

/** One output as it is printed: its text where it is one, base64 where not, neither where it is secret. */
export interface OutputFacts {
  readonly name: string
  readonly sizeBytes: number
  readonly secret: boolean
  readonly value?: string
  readonly encoding?: 'utf8' | 'base64'
}

export function outputFacts({ name, writeOnly, sizeBytes, value }: ShownOutput): OutputFacts {
  const common = { name, sizeBytes, secret: writeOnly }
  if (!value) return common
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(value)
    return { ...common, value: text, encoding: 'utf8' }
  } catch {
    return { ...common, value: Buffer.from(value).toString('base64'), encoding: 'base64' }
  }
}

export function outputLines(outputs: readonly OutputFacts[]): string[] {
  return outputs.map(({ name, sizeBytes, value, encoding }) => {
    if (value === undefined) return `${name} = (hidden, ${bytes(sizeBytes)})`
    const isLine = encoding === 'utf8' && value.length <= 200 && !value.trimEnd().includes('\n')
    return isLine ? `${name} = ${value.trimEnd()}` : `${name} = (${bytes(sizeBytes)})`
  })
}
