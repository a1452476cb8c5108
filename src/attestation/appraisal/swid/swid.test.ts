import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { parseReferenceMessage } from '../index.ts'
import { swidMeasurements } from './measurements.ts'
import { NotXml, xmlElements } from './xml-elements.ts'

const at = new Date('2026-11-21T12:00:00Z')
const elements = (text: string, depth = 8) => [...xmlElements(text, depth)]
const message = (payload: string) => Buffer.from(JSON.stringify({ version: '0.1.0', type: 'swid', payload }))

test('elements with their namespaces and attributes', () => {
  const [a, b, c, d] = elements(
    `<?xml version="1.0"?>
<!-- < --><a xmlns="urn:one" xmlns:p='urn:two' x="1 &lt;&#65;&#x42;&amp;" p:x = "2">text<![CDATA[<b>]]>
<p:b/><c xmlns=""><d xmlns:p="urn:three" p:y=""/></c ></a>
`,
  )
  assert.deepEqual([a!.namespace, a!.name, a!.depth], ['urn:one', 'a', 0])
  assert.deepEqual(
    [...a!.attributes],
    [
      ['x', '1 <AB&'],
      ['{urn:two}x', '2'],
    ],
  )
  assert.deepEqual([b!.namespace, b!.name, b!.depth], ['urn:two', 'b', 1])
  assert.deepEqual([c!.namespace, c!.name], ['', 'c'])
  assert.deepEqual([...d!.attributes], [['{urn:three}y', '']])
})

test('a namespace ends with its element', () => {
  assert.throws(() => elements('<a><b xmlns:p="urn:x"/><p:c/></a>'), NotXml)
  const [, , c] = elements('<a><b xmlns="urn:x"></b><c/></a>')
  assert.equal(c!.namespace, '')
})

test('what is not whole, or could grow, is refused', () => {
  for (const text of [
    '',
    'x',
    '<a>',
    '</a>',
    '<a></b>',
    '<a/><b/>',
    '<a/>x',
    'x<a/>',
    '<a x=1/>',
    '<a x="1" x="2"/>',
    '<a xmlns:p="u" xmlns:q="u" p:x="" q:x=""/>',
    '<a x="<"/>',
    '<a x="&b;"/>',
    '<a x="&"/>',
    '<a x="&#0;"/>',
    '<a x="&#xd800;"/>',
    '<a x="&#9999999;"/>',
    '<p:a/>',
    '<a p:x=""/>',
    '<a',
    '< a/>',
    '<a></a/>',
    '<!-- <a/>',
    '<!DOCTYPE a [<!ENTITY b "c">]><a/>',
    '<!ELEMENT a>',
  ]) {
    assert.throws(() => elements(text), NotXml, text)
  }
  elements('<a><b/></a>', 2)
  assert.throws(() => elements('<a><b/></a>', 1), NotXml)
})

test('no text makes the reader do anything but answer or refuse, in a time that grows with it', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '/',
    'a',
    'b',
    ':',
    '=',
    '"',
    "'",
    ' ',
    '&',
    ';',
    '<a>',
    '</a>',
    'xmlns',
    '<!--',
    '<?',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        elements(pieces.join(''))
      } catch (error) {
        assert.ok(error instanceof NotXml, String(error))
      }
    }),
    { numRuns: 500 },
  )
  assert.throws(() => elements(`<a${' '.repeat(200_000)}`), NotXml)
  assert.throws(() => elements(`<a ${'a'.repeat(200_000)}`), NotXml)
})

const manifest = (resources: string, meta = 'edition="GPU-1" r:PlatformManufacturerStr="A B"') =>
  `<S xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" xmlns:h="http://www.w3.org/2001/04/xmlenc#sha384" xmlns:r="https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/"><Meta ${meta}/><Payload>${resources}</Payload><Resource type="Measurement" index="9" h:Hash0="9"/></S>`

test('measurements by name, without those of zeros, and of the payload alone', () => {
  const read = swidMeasurements(
    manifest(`<Resource type="Measurement" index="0" h:Hash0="000"/>
<Resource type="Measurement" index="1" h:Hash0="ab" h:Hash1="00" h:Hash2="cd" h:Hash4="ef"/>
<Resource type="File" index="2" h:Hash0="ab"/><Resource type="Measurement" index="3" Hash0="ab"/>`),
    8,
  )
  assert.deepEqual([...read], [['A_B.GPU_1.measurement_1', ['ab', 'cd']]])
})

test('manifests that lack what names them are refused', () => {
  const one = '<Resource type="Measurement" index="1" h:Hash0="ab"/>'
  assert.throws(() => swidMeasurements(manifest(one, 'edition="x"'), 8), NotXml)
  assert.throws(() => swidMeasurements(manifest(one.replace('index="1"', '')), 8), NotXml)
  assert.throws(() => swidMeasurements('<a/>', 8), NotXml)
  for (const payload of ['PGE+', 'gICA', '']) {
    assert.throws(
      () => parseReferenceMessage(message(payload), at),
      (error) => isFailure(error, 'REFERENCE_VALUE_INVALID'),
    )
  }
})

const file = join(import.meta.dirname, '../../../../../shared/vectors/confidential/trustee/rvps/test-rim.b64')
const skip = existsSync(file) ? false : 'NOT TESTED: the shared vectors are not here'

test('a manifest of a real GPU gives what Trustee reads in it', { skip }, () => {
  const values = parseReferenceMessage(message(readFileSync(file, 'utf8').trim()), at)
  const found = values.find(({ name }) => name === 'NVIDIA_Corporation.GPU.measurement_12')
  assert.ok(Array.isArray(found?.value))
  assert.equal(
    found.value[0],
    '758af96044c700f98a85347be27124d51c05b8784ba216b629b9aaab6d538c759aed9922a133e4ac473564d359b271d5',
  )
})
