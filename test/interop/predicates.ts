const time = '2026-11-21T00:00:00Z'
const builder = { id: 'https://builder.example/1' }

/** A small predicate of each kind that both cosign and we know by these names. */
export const predicates: Readonly<Record<string, unknown>> = {
  slsaprovenance1: {
    buildDefinition: { buildType: 'https://build.example/1', externalParameters: { source: 'git' } },
    runDetails: { builder },
  },
  slsaprovenance02: {
    builder,
    buildType: 'https://build.example/1',
    invocation: { configSource: {}, parameters: null, environment: null },
    metadata: { completeness: {} },
    materials: [],
  },
  cyclonedx: { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components: [] },
  spdxjson: {
    spdxVersion: 'SPDX-2.3',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: 'web',
    dataLicense: 'CC0-1.0',
    documentNamespace: 'https://spdx.example/web',
    creationInfo: { created: time, creators: ['Tool: none'] },
    packages: [],
  },
  vuln: {
    invocation: { parameters: [], uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:example/scanner',
      version: '1',
      db: { uri: '', version: '' },
      result: { found: [] },
    },
    metadata: { scanStartedOn: time, scanFinishedOn: time },
  },
  openvex: {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'https://vex.example/1',
    author: 'shop',
    timestamp: time,
    version: 1,
    statements: [],
  },
  link: {
    _type: 'link',
    name: 'build',
    command: ['make'],
    materials: {},
    products: {},
    byproducts: {},
    environment: {},
  },
  custom: { any: 'thing' },
  'https://review.example/v1': { by: 'a person', verdict: 'good' },
}
