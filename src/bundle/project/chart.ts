import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { canonicalJson, type Json, limits } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

export const chartConfigType = 'application/vnd.cncf.helm.config.v1+json'
export const chartContentType = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'

const block = 512

/** What a packaged chart says of itself. */
export interface ChartMetadata {
  readonly name: string
  readonly version: string
  /** Chart.yaml as JSON: the config of the artifact, as helm pushes it. */
  readonly config: Uint8Array
  readonly description?: string
}

/**
 * Reads Chart.yaml out of a chart that `helm package` made. The YAML parser comes in.
 *
 * @throws CHART_INVALID
 */
export async function readChart(path: string, parseYaml: (text: string) => unknown): Promise<ChartMetadata> {
  const text = await chartFile(path)
  let value: Json
  try {
    value = parseYaml(text) as Json
  } catch (cause) {
    throw failure('CHART_INVALID', `the Chart.yaml of ${path} is not YAML`, { cause })
  }
  if (!isObject(value) || typeof value.name !== 'string' || typeof value.version !== 'string') {
    throw failure('CHART_INVALID', `the Chart.yaml of ${path} has no name and version`)
  }
  const { name, version, description } = value
  return {
    name,
    version,
    config: canonicalJson(value),
    ...(typeof description === 'string' && { description }),
  }
}

/** Walks the tar headers, in one pass and little memory, up to the first NAME/Chart.yaml. */
async function chartFile(path: string): Promise<string> {
  const fail = (why: string, cause?: unknown) =>
    failure('CHART_INVALID', `${path} is not a packaged chart: ${why}`, { cause })
  const unzipped = createReadStream(path)
    .on('error', (error) => unzipped.destroy(error))
    .pipe(createGunzip())
  let pending = Buffer.alloc(0)
  let seen = 0
  let toSkip = 0
  try {
    for await (const chunk of unzipped as AsyncIterable<Buffer>) {
      seen += chunk.length
      if (seen > limits.chartSearchBytes) throw fail('there is no Chart.yaml near its beginning')
      if (toSkip >= chunk.length) {
        toSkip -= chunk.length
        continue
      }
      pending = Buffer.concat([pending, chunk.subarray(toSkip)])
      toSkip = 0
      for (;;) {
        if (pending.length < block) break
        const header = pending.subarray(0, block)
        const name = header.toString('utf8', 0, 100).replace(/\0[\s\S]*$/, '')
        const size = Number.parseInt(header.toString('latin1', 124, 136).replace(/[\0 ].*$/, '') || '0', 8)
        if (name === '' || !Number.isSafeInteger(size) || header.toString('latin1', 257, 262) !== 'ustar') {
          throw fail('there is no Chart.yaml in it')
        }
        if (/^[^/]+\/Chart\.yaml$/.test(name) && /[0\0]/.test(header.toString('latin1', 156, 157))) {
          if (size > limits.chartFileBytes) throw fail('its Chart.yaml is too large')
          if (pending.length < block + size) break
          return pending.toString('utf8', block, block + size)
        }
        const whole = block + Math.ceil(size / block) * block
        toSkip = Math.max(0, whole - pending.length)
        pending = pending.subarray(whole)
      }
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'SealiftError') throw error
    throw fail((error as Error).message, error)
  } finally {
    unzipped.destroy()
  }
  throw fail('there is no Chart.yaml in it')
}
