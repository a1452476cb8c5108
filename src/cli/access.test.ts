import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { verbs } from '#access/index.ts'
import { runHere } from './cli.suite.ts'
import { verbNames } from './commands/access-check.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
before(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-access-'))
  const grants = 'grants: [{role: releaser, to: [user:ada, group:release], repositories: [shop/*]}]'
  writeFileSync(join(cwd, 'access.yaml'), `version: 1\n${grants}\n`)
  writeFileSync(join(cwd, 'broken.yaml'), 'version: 1\n')
})
after(() => rmSync(cwd, { recursive: true }))

const check = (...args: string[]) => runHere(['access', 'check', '--access', 'access.yaml', ...args], { cwd })

test('the verbs that are offered are those there are', () => {
  assert.deepEqual([...verbNames], [...verbs])
})

test('yes tells the grant, no exits with 5, both in both forms', async () => {
  const yes = await check('--as', 'user:ada', 'push', 'shop/web')
  assert.equal(yes.exitCode, 0, yes.stderr)
  assert.match(
    yes.stdout,
    /^yes: user:ada may push in shop\/web\n {2}as releaser, given to user:ada, group:release/,
  )
  const no = await check('--as', 'user:ada', 'delete', 'shop/web')
  assert.equal(no.exitCode, 5)
  assert.match(no.stdout, /^no: user:ada may not delete in shop\/web \(releaser\)/)
  assert.match(no.stderr, /ACCESS_DENIED/)
  const group = await check('--as', 'service:ci', '--group', 'release', 'sign', 'shop/web', '-o', 'json')
  assert.equal(group.exitCode, 0)
  const stranger = await check('--as', 'anonymous', 'pull', '../shop/web', '-o', 'json')
  assert.equal(stranger.exitCode, 5)
  for (const { stdout } of [group, stranger]) {
    const value = JSON.parse(stdout)
    assert.deepEqual([...Value.Errors(outputSchemas['access check'] as unknown as TSchema, value)], [])
  }
})

test('what makes no sense is usage', async () => {
  assert.equal((await check('--as', 'ada', 'push', 'shop/web')).exitCode, 2)
  assert.equal((await check('--as', 'user:ada', 'steal', 'shop/web')).exitCode, 2)
  const broken = await runHere(
    ['access', 'check', '--access', 'broken.yaml', '--as', 'user:a', 'push', 'x'],
    { cwd },
  )
  assert.equal(broken.exitCode, 2)
  assert.match(broken.stderr, /ACCESS_RULES_INVALID/)
  const both = ['registry', 'serve', 'data', '--htpasswd', 'u', '--access', 'access.yaml', '--anonymous-pull']
  assert.equal((await runHere(both, { cwd })).exitCode, 2)
})
