import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { isFailure, type Json } from '#base/index.ts'
import { MemoryRepositories, readVerified } from '#content/index.ts'
import { buildImage } from '#image/index.ts'
import { digestOf, formatReference, parseManifest, parseReference } from '#oci/index.ts'
import { formatBundle, parseBundle } from '../bundle-file.ts'
import { type BuildBundleContext, buildBundle } from './build-bundle.ts'
import { readChart } from './chart.ts'
import { nearest } from './nearest.ts'
import { parseProject } from './parse-project.ts'

const base = mkdtempSync(join(tmpdir(), 'sealift-project-'))
after(() => rmSync(base, { recursive: true, force: true }))

const fails = (code: string, path?: string, why?: RegExp) => (error: unknown) => {
  assert.ok(isFailure(error, code), String(error))
  if (path !== undefined) {
    const problems = error.detail.problems as { path: string; why: string }[]
    const found = problems.find((problem) => problem.path === path)
    assert.ok(found, error.message)
    if (why) assert.match(found.why, why)
  }
  return true
}
const smallest = { name: 'app', version: '1.0.0', invocationImage: { image: 'example/run:1' } }

/** A tar member, as tar(5) has it. */
function member(name: string, content: string): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const padded = Buffer.alloc(Math.ceil(content.length / 512) * 512)
  padded.write(content)
  return Buffer.concat([header, padded])
}
const chartYaml = { apiVersion: 'v2', name: 'web', version: '1.2.3+4', description: 'A chart' }
function writeChart(name: string, members: readonly Buffer[]): string {
  const path = join(base, name)
  writeFileSync(path, gzipSync(Buffer.concat([...members, Buffer.alloc(1024)])))
  return path
}

describe('the project file', () => {
  test('the smallest one', () => {
    assert.deepEqual(parseProject(smallest), smallest)
  })
  const bad: readonly (readonly [string, object, string, RegExp?])[] = [
    ['an unknown key', { invocationImages: [] }, '/invocationImages', /did you mean "invocationImage"/],
    [
      'a misspelt key inside',
      { parameters: { p: { definition: 'd', requird: true } } },
      '/parameters/p/requird',
      /"required"/,
    ],
    [
      'a misspelt key in a list',
      { invocationImage: { build: { layers: [{ file: [] }] } } },
      '/invocationImage/build/layers/0/file',
      /"files"/,
    ],
    ['nothing near', { zzzzzz: 1 }, '/zzzzzz', /known are name, version/],
    [
      'two sources of an image',
      { images: { a: { image: 'x', build: { layers: [{}] } } } },
      '/images/a',
      /exactly one/,
    ],
    ['no source of a file', { files: { a: {} } }, '/files/a', /exactly one/],
    [
      'one name in two groups',
      { images: { a: { image: 'x' } }, charts: { a: { image: 'y' } } },
      '/charts/a',
      /images has too/,
    ],
    ['a version that is none', { version: 'v1' }, '/version'],
    ['a registry that is none', { registry: 'x/UPPER' }, '/registry'],
    ['a parameter without definition', { parameters: { p: { env: 'P' } } }, '/parameters/p', /definition/],
    [
      'two definitions of one name',
      { definitions: { p: {} }, parameters: { p: { schema: {}, env: 'P' } } },
      '/parameters/p/schema',
    ],
  ]
  for (const [name, change, path, why] of bad) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => parseProject({ ...smallest, ...change } as Json),
        fails('PROJECT_INVALID', path, why),
      )
    })
  }
  test('any JSON is a project or a failure with the code', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.dictionary(fc.constantFrom('images', 'files', 'registry', 'x'), fc.jsonValue()),
        (value, parts) => {
          for (const document of [value, { ...smallest, ...parts }]) {
            try {
              parseProject(document as Json)
            } catch (error) {
              assert.ok(isFailure(error, 'PROJECT_INVALID'), String(error))
            }
          }
        },
      ),
    )
  })
  test('the nearest name', () => {
    assert.equal(nearest('verison', ['version', 'name']), 'version')
    assert.equal(nearest('Images', ['images']), 'images')
    assert.equal(nearest('quite-other', ['images']), undefined)
  })
})

describe('charts', () => {
  const parse = async (path: string) => readChart(path, JSON.parse)
  test('are read by their Chart.yaml, not that of a chart inside', async () => {
    const path = writeChart('a.tgz', [
      member('web/charts/sub/Chart.yaml', '{"name":"sub","version":"9.9.9"}'),
      member('web/values.yaml', 'x'.repeat(70_000)),
      member('web/Chart.yaml', JSON.stringify(chartYaml)),
    ])
    const { name, version, config } = await parse(path)
    assert.deepEqual([name, version], ['web', '1.2.3+4'])
    assert.deepEqual(JSON.parse(Buffer.from(config).toString()), chartYaml)
  })
  test('broken ones are told', async () => {
    const plain = join(base, 'plain.tgz')
    writeFileSync(plain, 'not gzip')
    const cases = [
      plain,
      join(base, 'absent.tgz'),
      writeChart('none.tgz', [member('web/values.yaml', 'a')]),
      writeChart('empty.tgz', []),
      writeChart('nameless.tgz', [member('web/Chart.yaml', '{"version":"1"}')]),
      writeChart('unparsable.tgz', [member('web/Chart.yaml', '{')]),
    ]
    for (const path of cases) await assert.rejects(parse(path), fails('CHART_INVALID'), path)
  })
  const helm = new URL(
    '../../../../shared/vectors/helm/pkg/repo/v1/testdata/repository/frobnitz-1.2.3.tgz',
    import.meta.url,
  ).pathname
  test("one of helm's own", {
    skip: existsSync(helm) ? false : 'the vectors of helm are not here',
  }, async () => {
    const { name, version } = await readChart(helm, (text) => ({
      name: /^name: (.*)$/m.exec(text)?.[1],
      version: /^version: "?([^"\n]*)"?$/m.exec(text)?.[1],
    }))
    assert.deepEqual([name, version], ['frobnitz', '1.2.3'])
  })
})

describe('building a bundle', () => {
  async function setup() {
    const repositories = new MemoryRepositories()
    const upstream = await repositories.create('docker.io/example/web')
    const root = await buildImage(
      { layers: [{ files: [{ content: 'w', to: '/w' }] }], compression: 'none' },
      upstream,
      { tags: ['2'] },
    )
    const context: BuildBundleContext = {
      directory: base,
      async resolve(reference) {
        const store = await repositories.repository(`${reference.registry}/${reference.repository}`)
        return { root: await store!.resolve(reference.digest ?? reference.tag ?? 'latest') }
      },
      target: ({ registry, repository }) => repositories.create(`${registry}/${repository}`),
      buildImage: (_build, target, tags) =>
        buildImage(
          { layers: [{ files: [{ content: 'r', to: '/cnab/app/run', mode: 0o755 }] }], compression: 'none' },
          target,
          { tags },
        ),
      parseYaml: JSON.parse,
    }
    return { repositories, root, context }
  }
  writeFileSync(join(base, 'disk.qcow2'), 'disk')
  writeFileSync(join(base, 'notes.txt'), 'notes')
  writeChart('web.tgz', [member('web/Chart.yaml', JSON.stringify(chartYaml))])
  const project = parseProject({
    name: 'My App',
    version: '1.0.0+b',
    registry: 'localhost:5000/build',
    invocationImage: { build: { layers: [{}] } },
    images: { web: { image: 'example/web:2', description: 'web' } },
    vmImages: { vm: { path: 'disk.qcow2', mediaType: 'application/x-qcow2' } },
    files: { notes: { path: 'notes.txt' } },
    charts: { chart: { path: 'web.tgz' } },
    parameters: { port: { schema: { type: 'integer', default: 80 }, env: 'PORT', required: true } },
    outputs: { url: { definition: 'text' } },
    definitions: { text: { type: 'string' } },
    credentials: { token: { env: 'TOKEN' } },
    actions: { status: { stateless: true } },
  })

  test('pins everything, pushes what it built, and is canonical CNAB', async () => {
    const { context, repositories, root } = await setup()
    const { bundle, pinned } = await buildBundle(project, context)
    assert.deepEqual(parseBundle(formatBundle(bundle)), bundle)
    assert.deepEqual(
      pinned.map(({ path, how }) => [path, how]),
      [
        ['/invocationImage', 'built'],
        ['/images/web', 'resolved'],
        ['/vmImages/vm', 'pushed'],
        ['/files/notes', 'pushed'],
        ['/charts/chart', 'pushed'],
      ],
    )
    const { web, vm, notes, chart } = bundle.images!
    assert.equal(web!.image, `docker.io/example/web:2@${root.digest}`)
    assert.deepEqual(
      [web!.contentDigest, web!.size, web!.mediaType],
      [root.digest, root.size, root.mediaType],
    )
    assert.deepEqual(
      [vm!.imageType, vm!.contentDigest, vm!.size],
      ['qcow2', digestOf(Buffer.from('disk')), 4],
    )
    assert.deepEqual([notes!.imageType, notes!.contentDigest], ['file', digestOf(Buffer.from('notes'))])
    assert.equal(chart!.description, 'A chart')
    for (const { image } of [...bundle.invocationImages, ...Object.values(bundle.images!)]) {
      const reference = parseReference(image)
      const store = await repositories.repository(`${reference.registry}/${reference.repository}`)
      assert.equal(
        (await store!.resolve(reference.digest!)).digest,
        reference.digest,
        formatReference(reference),
      )
    }
    assert.deepEqual(bundle.parameters!.port, {
      definition: 'port',
      destination: { env: 'PORT' },
      required: true,
    })
    assert.deepEqual(bundle.outputs!.url, { definition: 'text', path: '/cnab/app/outputs/url' })
  })

  test('a chart is what helm pushes', async () => {
    const { context, repositories } = await setup()
    const { bundle } = await buildBundle(project, context)
    const { repository, digest } = parseReference(bundle.images!.chart!.image)
    assert.equal(repository, 'build/my-app/chart')
    const store = (await repositories.repository(`localhost:5000/${repository}`))!
    const root = await store.resolve('1.2.3_4')
    assert.equal(root.digest, digest)
    const manifest = parseManifest(await readVerified(store, root, 1_000_000), root.mediaType)
    assert.ok(manifest.kind === 'image')
    assert.equal(manifest.config.mediaType, 'application/vnd.cncf.helm.config.v1+json')
    assert.deepEqual(
      manifest.layers.map(({ mediaType }) => mediaType),
      ['application/vnd.cncf.helm.chart.content.v1.tar+gzip'],
    )
    const layer = await readVerified(store, manifest.layers[0]!, 1_000_000)
    assert.deepEqual(Buffer.from(layer), readFileSync(join(base, 'web.tgz')))
  })

  test('the same project gives the same bytes', async () => {
    const first = await buildBundle(project, (await setup()).context)
    const second = await buildBundle(project, (await setup()).context)
    assert.deepEqual(formatBundle(second.bundle), formatBundle(first.bundle))
  })

  test('what cannot be is told', async () => {
    const { context } = await setup()
    const { registry: _, ...homeless } = project
    await assert.rejects(buildBundle(homeless, context), fails('PROJECT_INVALID'))
    const remote = { ...project, definitions: { text: { $ref: 'http://example.com/x' } } }
    await assert.rejects(buildBundle(remote, context), fails('DEFINITION_INVALID'))
    const outside = { ...project, outputs: { url: { definition: 'text', path: '/x' } } }
    await assert.rejects(buildBundle(outside, context), fails('BUNDLE_INVALID'))
    const gone = { ...project, files: { notes: { path: 'gone.txt' } } }
    await assert.rejects(buildBundle(gone, context), fails('FILE_SYSTEM'))
  })
})
