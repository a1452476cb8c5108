// runc runs invocation images through the driver `oci-runtime`, over the whole life of an installation; images that
// Sealift builds are unpacked by umoci and run by runc and podman; and a thick bundle that another tar compressed
// through is inspected, verified and relocated.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fetchManifest } from './artifacts.ts'
import { needs } from './peers.ts'
import { preparePodman } from './podman.ts'
import { run, Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const runTool = `#!/bin/sh
set -eu
echo "$CNAB_ACTION of $CNAB_INSTALLATION_NAME $CNAB_BUNDLE_VERSION"
case "$CNAB_ACTION" in
  install | upgrade)
    printf '%s, %s' "$GREETING" "$CNAB_ACTION" > /cnab/app/outputs/message
    cat /cnab/app/relocation-mapping.json > /cnab/app/outputs/mapping
    token=$(cat /cnab/app/credentials/token)
    echo "a token of \${#token} characters"
    ;;
  example.backup) printf 'saved %s' "$CNAB_INSTALLATION_NAME" > /cnab/app/outputs/backup ;;
  uninstall) ;;
  *) echo "no action $CNAB_ACTION" >&2; exit 7 ;;
esac
`

const shell = { executables: [{ from: '/bin/sh' }, { from: '/bin/cat' }] }

/** The project of a bundle whose run tool is a shell script, with one application image. */
const project = (registry: string) => ({
  name: 'interop',
  version: '1.0.0',
  registry: `${registry}/vendor`,
  invocationImage: {
    build: { layers: [shell, { files: [{ from: 'run', to: '/cnab/app/run', mode: 0o755 }] }] },
  },
  images: {
    web: {
      build: {
        layers: [shell, { files: [{ content: 'a page\n', to: '/srv/page' }] }],
        config: { entrypoint: ['/bin/cat'], cmd: ['/srv/page'], user: '1000:1000', env: { A: 'b' } },
      },
    },
  },
  parameters: { greeting: { schema: { type: 'string', default: 'Hello' }, env: 'GREETING' } },
  credentials: {
    token: { path: '/cnab/app/credentials/token', required: true, applyTo: ['install', 'upgrade'] },
  },
  outputs: {
    message: { schema: { type: 'string' }, applyTo: ['install', 'upgrade'] },
    mapping: { schema: { type: 'string' }, applyTo: ['install', 'upgrade'] },
    backup: { schema: { type: 'string' }, applyTo: ['example.backup'] },
  },
  actions: { 'example.backup': { title: 'Back up', modifies: false } },
})

describe('runtimes', needs('runc'), () => {
  let registry: string
  let web: string
  before(async () => {
    registry = await bench.serve(['registry', 'serve', bench.path('registry')])
    writeFileSync(bench.path('run'), runTool)
    writeFileSync(bench.path('sealift.yaml'), JSON.stringify(project(registry)))
    await bench.sealift(['build', '-o', 'bundle.json'])
    const { images } = JSON.parse(readFileSync(bench.path('bundle.json'), 'utf8')) as {
      images: { web: { image: string } }
    }
    web = images.web.image
    await bench.sealift(['pack', 'bundle.json', '-o', 'app.tgz'])
  })

  test('runc: install, upgrade, a custom action, uninstall, with outputs', async () => {
    await bench.sealift(['relocate', 'app.tgz', '--to', `${registry}/far`, '-m', 'mapping.json'])
    const token = 'not for any log'
    writeFileSync(bench.path('token'), token)
    const credentials = {
      schemaVersion: '1.0.1',
      name: 'interop',
      credentials: [{ name: 'token', source: { path: bench.path('token') } }],
    }
    writeFileSync(bench.path('credentials.json'), JSON.stringify(credentials))
    const how = ['--driver', 'oci-runtime', '-m', 'mapping.json', '--credential-set', 'credentials.json']
    const output = async (name: string) => (await bench.sealift(['outputs', 'one', name])).stdout

    const installed = await bench.sealift(['install', 'one', 'app.tgz', ...how])
    assert.match(installed.stderr, /install of one 1\.0\.0/)
    assert.match(installed.stderr, new RegExp(`a token of ${token.length} characters`))
    assert.equal(await output('message'), 'Hello, install')
    assert.deepEqual(
      JSON.parse(await output('mapping')),
      JSON.parse(readFileSync(bench.path('mapping.json'), 'utf8')),
    )

    await bench.sealift(['upgrade', 'one', ...how, '--param', 'greeting=Ahoy'])
    assert.equal(await output('message'), 'Ahoy, upgrade')
    await bench.sealift(['invoke', 'one', 'example.backup', ...how])
    assert.equal(await output('backup'), 'saved one')
    await assert.rejects(bench.sealift(['invoke', 'one', 'example.unknown', ...how]))
    await bench.sealift(['uninstall', 'one', ...how])
    const shown = JSON.stringify([
      await bench.sealiftJson(['installations']),
      await bench.sealiftJson(['show', 'one']),
      await bench.sealift(['logs', 'one']),
    ])
    assert.match(shown, /uninstall/)
    assert.ok(!shown.includes(token))
    const { stdout } = await bench.run('runc', ['list', '-q'])
    assert.ok(!stdout.includes('sealift'), stdout)
  })

  test('runc: a run tool that fails is a failed action', async () => {
    const broken = { ...project(registry), name: 'broken' }
    mkdirSync(bench.path('broken'))
    writeFileSync(bench.path('broken', 'run'), '#!/bin/sh\necho "giving up" >&2\nexit 9\n')
    writeFileSync(bench.path('broken', 'sealift.yaml'), JSON.stringify({ ...broken, credentials: {} }))
    const cwd = bench.path('broken')
    await bench.sealift(['build', '-o', 'bundle.json'], { cwd })
    const how = ['--driver', 'oci-runtime']
    const failed = await bench.sealift(['install', 'two', 'bundle.json', ...how], { cwd, exit: 'any' })
    assert.match(failed.stderr, /giving up/)
    assert.match(failed.stderr, /\b9\b/)
    assert.match(JSON.stringify(await bench.sealiftJson(['show', 'two'])), /failed/)
  })

  test('umoci and runc: an image that `image build` made is unpacked and runs', needs('umoci'), async () => {
    const layout = bench.path('built')
    await bench.sealift([
      ...['image', 'build', `oci:${layout}:page`, '--executable', '/bin/cat', '--file', './run:/srv/page'],
      ...['--entrypoint', '/bin/cat', '--entrypoint', '/srv/page'],
    ])
    const container = bench.path('container')
    await bench.run('umoci', ['unpack', '--image', `${layout}:page`, container])
    const config = JSON.parse(readFileSync(`${container}/config.json`, 'utf8'))
    config.process.terminal = false
    writeFileSync(`${container}/config.json`, JSON.stringify(config))
    const { stdout } = await bench.run('runc', [
      ...['--root', bench.path('runc'), 'run', '--bundle', container, 'interop-page'],
    ])
    assert.equal(stdout, runTool)
  })

  test('podman: runs an image that `build` made, as the user that it names', needs('podman'), async () => {
    const podman = preparePodman(bench)
    await podman('pull', '-q', '--tls-verify=false', web)
    assert.equal((await podman('run', '--rm', '--network', 'none', web)).stdout, 'a page\n')
    const { stdout } = await podman('image', 'inspect', '--format', '{{.Config.User}} {{.Config.Env}}', web)
    assert.match(stdout, /^1000:1000 \[.*\bA=b\b.*\]$/m)
  })

  test(
    'image build on a base that buildah made: its layers stay as they are',
    needs('buildah', 'skopeo'),
    async () => {
      const storage = [
        '--storage-driver',
        'vfs',
        '--root',
        bench.path('b-root'),
        '--runroot',
        bench.path('b-run'),
      ]
      const buildah = async (...args: readonly string[]) =>
        (await bench.run('buildah', [...storage, ...args])).stdout.trim()
      const container = await buildah('from', 'scratch')
      await buildah('copy', '-q', container, bench.path('run'), '/from-buildah')
      await buildah('commit', '-q', '--tls-verify=false', container, `docker://${registry}/buildah/base:1`)
      const added = `${registry}/added/app:1`
      await bench.sealift([
        ...['image', 'build', added, '--base', `${registry}/buildah/base:1`, '--executable', '/bin/cat'],
      ])
      const layers = async (repository: string) =>
        (
          JSON.parse((await fetchManifest(repository, '1')).bytes.toString()) as {
            layers: { digest: string }[]
          }
        ).layers
      const [base, whole] = await Promise.all([
        layers(`${registry}/buildah/base`),
        layers(`${registry}/added/app`),
      ])
      assert.equal(base.length, 1)
      assert.deepEqual(whole[0]?.digest, base[0]?.digest)
      const to = bench.fresh('added')
      await bench.run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${added}`, `oci:${to}:1`])
      await bench.run('umoci', ['unpack', '--image', `${to}:1`, `${to}-root`])
      assert.equal(readFileSync(`${to}-root/rootfs/from-buildah`, 'utf8'), runTool)
    },
  )

  test('a thick bundle that tar compressed through is inspected, verified and relocated', async () => {
    const folder = bench.path('thick')
    mkdirSync(folder)
    await run('tar', ['-xzf', bench.path('app.tgz'), '-C', folder])
    await run('tar', ['-czf', bench.path('thick.tgz'), '-C', folder, 'bundle.json', 'artifacts/layout'])
    type Inspected = { bundle?: { name: string }; roots: { digest: string }[] }
    const ours = await bench.sealiftJson<Inspected>(['inspect', 'app.tgz'])
    const theirs = await bench.sealiftJson<Inspected>(['inspect', 'thick.tgz'])
    assert.deepEqual(theirs.bundle, ours.bundle)
    assert.deepEqual(
      theirs.roots.map(({ digest }) => digest),
      ours.roots.map(({ digest }) => digest),
    )
    await bench.sealift(['verify', 'thick.tgz'])
    await bench.sealift(['relocate', 'thick.tgz', '--to', `${registry}/thick`, '-m', 'thick.json'])
    const mapping = JSON.parse(readFileSync(bench.path('thick.json'), 'utf8')) as Record<string, string>
    const relocated = mapping[web] ?? ''
    assert.match(relocated, new RegExp(`^${registry}/thick/.*@${web.split('@')[1] ?? web}$`))
  })
})
