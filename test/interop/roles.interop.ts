// Access rules before clients of others: what a role allows works, what it does not is refused, in their own words.
import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type Crossing, cross } from './crossing.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const rules = `
version: 1
grants:
  - { role: owner, to: [user:olga], repositories: ["**"] }
  - { role: releaser, to: [user:ada], repositories: [shop/*] }
  - { role: operator, to: [user:otto], repositories: [shop/nginx] }
  - { role: operator, to: [anonymous], repositories: [public/*] }
`

describe('roles', needs('skopeo', 'crane', 'htpasswd', 'buildah', 'debootstrap'), () => {
  let crossing: Crossing
  let registry: string
  before(async () => {
    crossing = await cross(bench)
    for (const [at, user] of ['olga', 'ada', 'otto'].entries()) {
      await bench.run('htpasswd', [at === 0 ? '-cbB' : '-bB', bench.path('users'), user, user])
    }
    writeFileSync(bench.path('access.yaml'), rules)
    registry = await bench.serve([
      ...['registry', 'serve', bench.path('ruled')],
      ...['--htpasswd', bench.path('users'), '--access', bench.path('access.yaml')],
    ])
  })
  const push = (user: string, name: string, exit: number) =>
    bench.run(
      'skopeo',
      [
        ...['copy', '-q', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[
          '--dest-creds',
          `${user}:${user}`,
          `docker://${crossing.served}/shop/nginx:1`,
          `docker://${registry}/${name}:1`,
        ],
      ],
      { exit },
    )
  const inspect = (name: string, exit: number, user?: string) =>
    bench.run(
      'skopeo',
      [
        ...['inspect', '--raw', '--tls-verify=false'],
        ...(user ? ['--creds', `${user}:${user}`] : ['--no-creds']),
        `docker://${registry}/${name}:1`,
      ],
      { exit },
    )

  test('skopeo: a releaser pushes into its own repositories and no others', async () => {
    await push('ada', 'shop/nginx', 0)
    await push('olga', 'vault/nginx', 0)
    await push('olga', 'public/nginx', 0)
    for (const [user, name] of [
      ['ada', 'vault/other'],
      ['otto', 'shop/nginx'],
      ['ada', 'shop/a/b'],
    ] as const) {
      assert.match((await push(user, name, 1)).stderr, /denied|forbidden/i, `${user} ${name}`)
    }
  })

  test('skopeo: reading is for who may', async () => {
    assert.equal(Buffer.byteLength((await inspect('shop/nginx', 0, 'otto')).stdout), crossing.index.size)
    assert.equal(Buffer.byteLength((await inspect('vault/nginx', 0, 'olga')).stdout), crossing.index.size)
    assert.match((await inspect('vault/nginx', 1, 'otto')).stderr, /denied|forbidden/i)
    assert.match((await inspect('shop/nginx', 1)).stderr, /unauthorized|authentication/i)
  })

  test('crane: catalog, tags, pulls and deletions as the rules say', async () => {
    const crane = async (user: string, args: readonly string[], exit = 0) => {
      const env = { DOCKER_CONFIG: bench.path(`crane-${user}`) }
      await bench.run('crane', ['auth', 'login', registry, '-u', user, '-p', user], { env })
      return await bench.run('crane', [...args, '--insecure'], { env, exit })
    }
    const lines = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => line.replace(`${registry}/`, ''))
    assert.deepEqual(lines((await crane('otto', ['catalog', registry])).stdout), [
      'public/nginx',
      'shop/nginx',
    ])
    assert.deepEqual(lines((await crane('olga', ['catalog', registry])).stdout).length, 3)
    assert.equal((await crane('otto', ['ls', `${registry}/shop/nginx`])).stdout.trim(), '1')
    assert.match((await crane('otto', ['ls', `${registry}/vault/nginx`], 1)).stderr, /DENIED/)
    await crane('otto', [
      'pull',
      `${registry}/shop/nginx:1`,
      bench.path('otto.tar'),
      '--platform',
      'linux/amd64',
    ])
    assert.match(
      (await crane('otto', ['pull', `${registry}/vault/nginx:1`, bench.path('no.tar')], 1)).stderr,
      /DENIED/,
    )
    const { digest } = crossing.index
    assert.match((await crane('ada', ['delete', `${registry}/shop/nginx@${digest}`], 1)).stderr, /DENIED/)
    // From where one may not pull, a mount becomes a push of the bytes, and those cannot be read either.
    assert.match(
      (await crane('ada', ['copy', `${registry}/vault/nginx:1`, `${registry}/shop/stolen:1`], 1)).stderr,
      /DENIED/,
    )
    await crane('olga', ['delete', `${registry}/vault/nginx@${digest}`])
  })

  test('strangers read what is public, without a password', async () => {
    assert.equal(Buffer.byteLength((await inspect('public/nginx', 0)).stdout), crossing.index.size)
    const env = { DOCKER_CONFIG: bench.path('crane-nobody') }
    const { stdout } = await bench.run('crane', ['digest', `${registry}/public/nginx:1`, '--insecure'], {
      env,
    })
    assert.equal(stdout.trim(), crossing.index.digest)
  })

  test('the audit log says who read what, and who was refused', async () => {
    interface Entry {
      readonly principal: { readonly kind: string; readonly name: string }
      readonly verb: string
      readonly repository: string
      readonly digest?: string
      readonly allowed: boolean
    }
    const listed = await bench.sealiftJson<readonly { record: Entry }[]>([
      'audit',
      'list',
      '--type',
      'access',
    ])
    const of = (name: string, repository: string, allowed: boolean) =>
      listed
        .map(({ record }) => record)
        .filter(({ principal }) => principal.name === name)
        .filter((record) => record.repository === repository && record.allowed === allowed)
    const { digest } = crossing.index
    assert.ok(
      of('otto', 'shop/nginx', true).some((record) => record.verb === 'pull' && record.digest === digest),
    )
    assert.ok(
      of('ada', 'shop/nginx', true).some((record) => record.verb === 'push' && record.digest === digest),
    )
    assert.ok(of('otto', 'vault/nginx', false).some(({ verb }) => verb === 'pull'))
    assert.deepEqual(of('otto', 'vault/nginx', true), [])
  })

  test('an archive is served by the same rules', async () => {
    copyFileSync(bench.path('access.yaml'), bench.path('archive-access.yaml'))
    const served = await bench.serve([
      'serve',
      crossing.archive,
      '--htpasswd',
      bench.path('users'),
      '--access',
      bench.path('archive-access.yaml'),
    ])
    const read = (user: string, exit: number) =>
      bench.run(
        'skopeo',
        [
          'inspect',
          '--raw',
          '--tls-verify=false',
          '--creds',
          `${user}:${user}`,
          `docker://${served}/shop/nginx:1`,
        ],
        { exit },
      )
    assert.equal(Buffer.byteLength((await read('otto', 0)).stdout), crossing.index.size)
    writeFileSync(bench.path('archive-access.yaml'), 'version: 1\ngrants: []\n')
    // It is looked at every five seconds.
    const end = Date.now() + 20_000
    const refused = () =>
      read('otto', 1).then(
        ({ stderr }) => /denied|forbidden/i.test(stderr),
        () => false,
      )
    while (!(await refused())) {
      assert.ok(Date.now() < end, 'the old rules are still in force')
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  })
})
