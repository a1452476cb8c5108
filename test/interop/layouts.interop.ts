// What we write (`oci:`, `oci-archive:`, an archive unpacked by tar) is read by skopeo and umoci; what they, buildah
// and tar write is read by us. Digests are the same on both sides.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type Crossing, cross } from './crossing.ts'
import { needs } from './peers.ts'
import { run, Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

interface Listed {
  readonly reference: string
  readonly digest: string
}

describe('layouts and archives', needs('skopeo', 'buildah', 'debootstrap', 'umoci'), () => {
  let crossing: Crossing
  before(async () => {
    crossing = await cross(bench)
  })

  test('oci:DIR that we write is read by skopeo and umoci', async () => {
    const { registry, index, image } = crossing
    const layout = bench.path('ours')
    await bench.sealift(['copy', `${registry}/shop/nginx:1`, `oci:${layout}:1`])
    await bench.sealift(['copy', `${registry}/shop/nginx:single`, `oci:${layout}:single`])
    assert.deepEqual(await skopeoDigest(`oci:${layout}:1`), index.digest)
    assert.deepEqual(await skopeoDigest(`oci:${layout}:single`), image.digest)
    await bench.run('skopeo', [
      'copy',
      '-q',
      `oci:${layout}:1`,
      `docker-archive:${bench.fresh('ours.tar')}:a/b:1`,
    ])
    await unpackByUmoci(`${layout}:single`, 'usr/sbin/nginx')
    const { stdout } = await bench.run('umoci', ['stat', '--json', '--image', `${layout}:single`])
    assert.ok((JSON.parse(stdout) as { history: unknown[] }).history.length > 0)
    const tags = (await bench.run('umoci', ['list', '--layout', layout])).stdout.split('\n')
    assert.ok(tags.includes('1') && tags.includes('single'), tags.join(' '))
  })

  test('oci-archive:FILE that we write is read by skopeo', async () => {
    const file = bench.path('ours.tar')
    await bench.sealift(['copy', `${crossing.registry}/shop/nginx:1`, `oci-archive:${file}:1`])
    assert.equal(await skopeoDigest(`oci-archive:${file}:1`), crossing.index.digest)
    const to = bench.fresh('dir')
    await bench.run('skopeo', ['copy', '-q', '--all', `oci-archive:${file}:1`, `dir:${to}`])
    assert.equal(
      (await bench.run('skopeo', ['manifest-digest', `${to}/manifest.json`])).stdout.trim(),
      crossing.index.digest,
    )
  })

  test('an archive unpacked by tar is a layout to skopeo, umoci and us', async () => {
    const folder = bench.path('unpacked')
    mkdirSync(folder)
    await run('tar', ['-xzf', crossing.archive, '-C', folder])
    const layout = `${folder}/artifacts/layout`
    const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, 'utf8')) as {
      manifests: { digest: string; annotations?: Record<string, string> }[]
    }
    const named = (digest: string) =>
      manifests.find((entry) => entry.digest === digest)?.annotations?.[
        'org.opencontainers.image.ref.name'
      ] ?? ''
    assert.equal(await skopeoDigest(`oci:${layout}:${named(crossing.index.digest)}`), crossing.index.digest)
    const name = named(crossing.image.digest)
    assert.equal(await skopeoDigest(`oci:${layout}:${name}`), crossing.image.digest)
    await bench.run('skopeo', [
      'copy',
      '-q',
      '--all',
      `oci:${layout}:${named(crossing.index.digest)}`,
      `dir:${bench.fresh('d')}`,
    ])
    await bench.sealift(['verify', `oci:${layout}`])
    const [ours, theirs] = await Promise.all([list(crossing.archive), list(`oci:${layout}`)])
    assert.deepEqual(theirs, ours)
  })

  test('an archive compressed through by tar is read, verified and copied', async () => {
    const folder = bench.path('again')
    mkdirSync(folder)
    await run('tar', ['-xzf', crossing.archive, '-C', folder])
    const again = bench.path('again.tgz')
    await run('tar', ['-czf', again, '-C', folder, 'artifacts'])
    assert.deepEqual(await list(again), await list(crossing.archive))
    await bench.sealift(['verify', again])
    await bench.sealift([
      'copy',
      `archive:${again}:${crossing.registry}/shop/nginx:1`,
      `${crossing.registry}/again/nginx:1`,
    ])
    assert.equal(await skopeoDigest(`docker://${crossing.registry}/again/nginx:1`), crossing.index.digest)
    // One flipped bit in it is found.
    const bytes = readFileSync(again)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(again, bytes)
    await assert.rejects(bench.sealift(['verify', again]))
  })

  test('layouts, archives and edited images of skopeo, buildah and umoci are read', async () => {
    const { layout, index, image } = crossing
    // The one that buildah wrote.
    await bench.sealift(['verify', `oci:${layout}`])
    assert.ok((await list(`oci:${layout}`)).some(({ digest }) => digest === index.digest))

    const file = bench.path('skopeo.tar')
    await bench.run('skopeo', ['copy', '-q', '--all', `oci:${layout}:nginx`, `oci-archive:${file}:theirs`])
    await bench.sealift(['verify', `oci-archive:${file}`])
    assert.deepEqual(
      (await list(`oci-archive:${file}`)).map(({ digest }) => digest),
      [index.digest],
    )

    const edited = bench.path('umoci')
    await bench.run('skopeo', ['copy', '-q', `oci:${layout}:nginx`, `oci:${edited}:before`])
    await bench.run('umoci', [
      'config',
      '--image',
      `${edited}:before`,
      '--tag',
      'after',
      '--config.user',
      'www-data',
    ])
    await bench.sealift(['verify', `oci:${edited}`])
    const roots = await list(`oci:${edited}`)
    assert.equal(roots.length, 2)
    assert.ok(roots.some(({ digest }) => digest === image.digest))
    await bench.sealift(['copy', `oci:${edited}:after`, `${crossing.registry}/umoci/nginx:1`])
    const after = roots.find(({ digest }) => digest !== image.digest)?.digest
    assert.equal(await skopeoDigest(`docker://${crossing.registry}/umoci/nginx:1`), after)
  })

  async function list(location: string): Promise<Listed[]> {
    const listed = await bench.sealiftJson<Listed[]>(['ls', location])
    const shown = listed.map(({ reference, digest }) => ({ reference, digest }))
    return shown.sort((a, b) => (`${a.reference} ${a.digest}` < `${b.reference} ${b.digest}` ? -1 : 1))
  }

  /** The digest of the bytes that skopeo reads, which it takes for the manifest. */
  async function skopeoDigest(location: string): Promise<string> {
    const tls = location.startsWith('docker:') ? ['--tls-verify=false'] : []
    const file = bench.fresh('manifest.json')
    writeFileSync(file, (await bench.run('skopeo', ['inspect', '--raw', ...tls, location])).stdout)
    return (await bench.run('skopeo', ['manifest-digest', file])).stdout.trim()
  }

  async function unpackByUmoci(image: string, expected: string): Promise<void> {
    const to = bench.fresh('umoci-bundle')
    await bench.run('umoci', ['unpack', '--rootless', '--image', image, to])
    assert.ok(existsSync(`${to}/rootfs/${expected}`))
  }
})
