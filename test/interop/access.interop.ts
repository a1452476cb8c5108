// Our registry with passwords made by Apache's htpasswd and a certificate made by openssl, to clients of others; and
// an archive served with an overlay that takes what they push.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fetchManifest } from './artifacts.ts'
import { type Crossing, cross } from './crossing.ts'
import { Containerd, Docker } from './engines.ts'
import { needs } from './peers.ts'
import { preparePodman } from './podman.ts'
import { makeCertificates } from './registries.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const user = 'operator'
const password = 'correct horse: battery'

describe('access', needs('skopeo', 'buildah', 'debootstrap', 'openssl', 'htpasswd'), () => {
  let crossing: Crossing
  let registry: string
  let certsDirectory: string
  let ca: string
  before(async () => {
    crossing = await cross(bench)
    mkdirSync(bench.path('tls'))
    const made = await makeCertificates(bench, bench.path('tls'))
    ca = made.ca
    certsDirectory = bench.path('tls', 'certs')
    mkdirSync(certsDirectory)
    copyFileSync(ca, `${certsDirectory}/ca.crt`)
    await bench.run('htpasswd', ['-cbB', bench.path('users'), user, password])
    registry = await bench.serve([
      ...['registry', 'serve', bench.path('guarded'), '--htpasswd', bench.path('users')],
      ...['--tls-cert', made.certificate, '--tls-key', made.key],
    ])
  })
  const tls = (side: 'src' | 'dest') => [`--${side}-cert-dir=${certsDirectory}`]
  const from = () => ['--src-tls-verify=false', `docker://${crossing.served}/shop/nginx:1`]

  test('skopeo: in with the password, out without', async () => {
    const to = `docker://${registry}/skopeo/nginx:1`
    const push = (credentials: string, exit: number) =>
      bench.run(
        'skopeo',
        ['copy', '-q', '--all', ...tls('dest'), '--dest-creds', credentials, ...from(), to],
        { exit },
      )
    await push(`${user}:${password}`, 0)
    assert.match((await push(`${user}:wrong`, 1)).stderr, /unauthorized|invalid username\/password/i)
    assert.match((await push(`nobody:${password}`, 1)).stderr, /unauthorized|invalid username\/password/i)
    const read = ['inspect', '--raw', `--cert-dir=${certsDirectory}`]
    assert.match(
      (await bench.run('skopeo', [...read, to], { exit: 1 })).stderr,
      /unauthorized|authentication/i,
    )
    const { stdout } = await bench.run('skopeo', [...read, '--creds', `${user}:${password}`, to])
    assert.equal(Buffer.byteLength(stdout), crossing.index.size)
  })

  test('podman: login, push, pull, logout', needs('podman', 'runc'), async () => {
    const podman = preparePodman(bench)
    const auth = ['--authfile', bench.path('podman-auth.json')]
    const certs = `--cert-dir=${certsDirectory}`
    await podman('login', ...auth, certs, '-u', user, '-p', password, registry)
    await podman('pull', '-q', '--tls-verify=false', `${crossing.served}/shop/nginx:1`)
    const to = `${registry}/podman/nginx:1`
    await podman('push', '-q', ...auth, certs, `${crossing.served}/shop/nginx:1`, to)
    await podman('pull', '-q', ...auth, certs, to)
    // What podman kept at its login is good for us too.
    const env = { REGISTRY_AUTH_FILE: bench.path('podman-auth.json'), SSL_CERT_FILE: ca }
    await bench.sealift(['verify', to], { env })
    await podman('logout', ...auth, registry)
    await assert.rejects(podman('pull', '-q', ...auth, certs, to), /unauthorized|authentication/i)
  })

  test('crane: login, and all of its reading', needs('crane'), async () => {
    const env = { DOCKER_CONFIG: bench.path('crane-config'), SSL_CERT_FILE: ca }
    const crane = (...args: readonly string[]) => bench.run('crane', args, { env })
    await crane('auth', 'login', registry, '-u', user, '-p', password)
    await crane('copy', `${crossing.served}/shop/nginx:1`, `${registry}/crane/nginx:1`)
    const { stdout } = await crane('digest', `${registry}/crane/nginx:1`)
    assert.equal(stdout.trim(), crossing.index.digest)
    await crane('validate', '--fast', '--remote', `${registry}/crane/nginx:1`)
    await bench.sealift(['verify', `${registry}/crane/nginx:1`], { env })
  })

  test(
    'dockerd and containerd: login, push and pull',
    needs('dockerd', 'docker', 'containerd', 'ctr'),
    async () => {
      const containerd = await Containerd.start(bench)
      containerd.host(registry, `https://${registry}`, ca)
      containerd.host(crossing.served)
      const name = `${registry}/containerd/nginx:1`
      const local = `${crossing.served}/shop/nginx:1`
      await containerd.run('images', 'pull', containerd.hosts, '--all-platforms', local)
      const login = ['--user', `${user}:${password}`]
      await containerd.run('images', 'push', containerd.hosts, ...login, name, local)
      await containerd.run('images', 'pull', containerd.hosts, ...login, name)
      assert.equal(await containerd.digest(name), crossing.index.digest)
      await assert.rejects(
        containerd.run('images', 'pull', containerd.hosts, name),
        /401|authorization failed/i,
      )

      const docker = await Docker.start(bench, containerd)
      // Loopback: after `no basic auth credentials` dockerd asks in plain HTTP too, and reports that it was hung up on.
      await assert.rejects(docker.run('pull', name), /no basic auth credentials|unauthorized|EOF/)
      await docker.run('login', '-u', user, '-p', password, registry)
      assert.match((await docker.run('pull', name)).stdout, new RegExp(crossing.index.digest))
      await docker.run('tag', name, `${registry}/docker/nginx:1`)
      await docker.run('push', `${registry}/docker/nginx:1`)
      const env = { DOCKER_CONFIG: bench.path('docker-config'), SSL_CERT_FILE: ca }
      await bench.sealift(['verify', `${registry}/docker/nginx:1`], { env })
    },
  )

  test('an overlay takes pushes beside the archive, which stays as it is', needs('crane'), async () => {
    const overlay = bench.path('overlay')
    const served = await bench.serve(['serve', crossing.archive, '--overlay', overlay])
    const to = `${served}/pushed/python:1`
    await bench.run('skopeo', [
      ...[
        'copy',
        '-q',
        '--all',
        '--dest-tls-verify=false',
        `oci:${crossing.layout}:python`,
        `docker://${to}`,
      ],
    ])
    await bench.run('crane', ['validate', '--fast', '--remote', to, '--insecure'])
    await bench.run('crane', ['copy', '--insecure', `${served}/shop/nginx:1`, `${served}/shop/nginx:again`])
    const again = await fetchManifest(`${served}/shop/nginx`, 'again')
    assert.deepEqual(again.descriptor, crossing.index)
    await bench.sealift(['verify', crossing.archive])
    // Without the overlay a push is refused.
    const refused = await bench.run(
      'skopeo',
      [...['copy', '-q', '--dest-tls-verify=false', ...from()], `docker://${crossing.served}/pushed/nginx:1`],
      { exit: 1 },
    )
    assert.match(refused.stderr, /unsupported|405|denied|method not allowed/i)
  })
})
