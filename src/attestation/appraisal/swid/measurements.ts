import { NotXml, type XmlElement, xmlElements } from './xml-elements.ts'

const swid = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const rimim =
  'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/'
const sha384 = 'http://www.w3.org/2001/04/xmlenc#sha384'
const mostHashes = 64

/**
 * The measurements of a reference integrity manifest in SWID (TCG RIM Information Model), by the names that Trustee
 * gives them: MANUFACTURER.EDITION.measurement_INDEX with `_` for blanks and hyphens, each a list of hashes in hex.
 * Hashes of zeros alone stand for nothing. The manifest's own signature is not checked: whoever sends it is trusted.
 *
 * @throws NotXml
 */
export function swidMeasurements(text: string, maxDepth: number): Map<string, string[]> {
  const measurements = new Map<string, string[]>()
  let prefix: string | undefined
  let payloadDepth: number | undefined
  for (const element of xmlElements(text, maxDepth)) {
    if (payloadDepth !== undefined && element.depth <= payloadDepth) break
    if (element.namespace !== swid) continue
    if (element.name === 'Meta') prefix ??= prefixOf(element)
    else if (element.name === 'Payload') payloadDepth = element.depth
    else if (payloadDepth !== undefined && isMeasurement(element)) {
      const hashes = hashesOf(element)
      if (hashes.length === 0) continue
      if (prefix === undefined) throw new NotXml('the manifest says nothing of itself before its payload')
      const index = element.attributes.get('index')
      if (index === undefined) throw new NotXml('a measurement has no index')
      measurements.set(`${prefix}.measurement_${index}`.replaceAll('-', '_'), hashes)
    }
  }
  if (payloadDepth === undefined) throw new NotXml('the manifest has no payload')
  return measurements
}

const isMeasurement = ({ name, attributes }: XmlElement): boolean =>
  name === 'Resource' && attributes.get('type') === 'Measurement'

function prefixOf({ attributes }: XmlElement): string {
  const manufacturer = attributes.get(`{${rimim}}PlatformManufacturerStr`)
  const edition = attributes.get('edition')
  if (manufacturer === undefined || edition === undefined) {
    throw new NotXml('the manifest does not name its manufacturer and edition')
  }
  return `${manufacturer.replaceAll(' ', '_')}.${edition}`
}

function hashesOf({ attributes }: XmlElement): string[] {
  const hashes: string[] = []
  for (let number = 0; number < mostHashes; number++) {
    const hash = attributes.get(`{${sha384}}Hash${number}`)
    if (hash === undefined) break
    if (!/^0*$/.test(hash)) hashes.push(hash)
  }
  return hashes
}
