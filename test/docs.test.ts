// The documents that are generated say what the program says, and every command's help has examples that fit.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { generateHelpTextForAllCommands } from '@stricli/core'
import { stale } from '../docs/generate.ts'
import { application } from '../src/cli/app.ts'

const nobody = { stdout: { write: () => undefined }, stderr: { write: () => undefined } }
const helps = generateHelpTextForAllCommands(application({ process: nobody, env: {} }) as never)

test('docs/commands.md and docs/errors.md are what `npm run docs` writes', () => {
  assert.deepEqual(stale(), [])
})

test('every code of every room stands in docs/errors.md', async () => {
  const text = readFileSync('docs/errors.md', 'utf8')
  const files = globSync('src/**/codes.ts')
  assert.ok(files.length > 20)
  for (const file of files) {
    const { codes } = (await import(pathToFileURL(file).href)) as { codes: object }
    const missing = Object.keys(codes).filter((code) => !text.includes(`| \`${code}\` |`))
    assert.deepEqual(missing, [], file)
  }
})

test('what the documents link to is there, and tests are called as they say', () => {
  const missing: string[] = []
  let links = 0
  for (const document of globSync(['*.md', 'docs/**/*.md'])) {
    const text = readFileSync(document, 'utf8')
    for (const [, name = '', target = ''] of text.matchAll(/\[([^\]]+)\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      const path = join(dirname(document), target)
      if (!existsSync(path)) missing.push(`${document}: ${target} is not there`)
      else if (/\.(test|interop)\.ts$/.test(path) && !readFileSync(path, 'utf8').includes(name))
        missing.push(`${document}: ${target} has no test "${name}"`)
    }
  }
  assert.ok(links > 50, `${links} links`)
  assert.deepEqual(missing, [])
})

test('every command says in a sentence what it does, with two or three examples of its own', () => {
  assert.ok(helps.length >= 20)
  for (const [route, help] of helps) {
    const [, examples = ''] = /EXAMPLES\n((?: {2}.+\n)+)/.exec(help) ?? []
    const lines = examples.trimEnd().split('\n')
    assert.ok(lines.length === 2 || lines.length === 3, `${route}: ${lines.length} examples`)
    assert.match(help, /^[A-Z][^\n]+\.$/m, route)
    for (const line of lines) {
      assert.ok(line.includes(route), `${route}: ${line}`)
      for (const [flag] of line.matchAll(/(?<= )--?[a-z][a-z-]*/g)) {
        assert.match(help, new RegExp(`(^|[ [/])${flag}\\b`, 'm'), `${route}: ${flag}`)
      }
    }
  }
})
