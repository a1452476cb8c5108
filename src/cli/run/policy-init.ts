import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileSystemFailure } from '#base/index.ts'
import { parseTrustPolicy, starterPolicy } from '#policy/index.ts'
import type { PolicyInitFlags } from '../commands/policy-init.ts'
import type { Context } from '../context.ts'
import { readWhole, writeNew } from '../files.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: PolicyInitFlags, directory = '.'): Promise<void> {
  await using session = await openSession(this, flags)
  const folder = resolve(this.cwd, directory)
  const { key, content = '**' } = flags
  const pem =
    key === undefined ? undefined : Buffer.from(await readWhole(resolve(this.cwd, key), 65_536)).toString()
  const files = starterPolicy(content, pem)
  const readFile = () => Promise.reject(new TypeError('a starter names no file'))
  // Nothing is written that could not be used.
  await parseTrustPolicy(files[0].text, { path: files[0].path, readFile })
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw fileSystemFailure(folder, cause)
  })
  for (const { path, text } of files) await writeNew(join(folder, path), Buffer.from(text), 0o644)
  const written = files.map(({ path }) => join(directory, path))
  print(this, session.format, { written }, () =>
    [...written.map((path) => `wrote ${path}`), `next: sealift policy test ${directory}`].join('\n'),
  )
}
