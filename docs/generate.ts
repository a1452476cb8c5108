// Writes what is generated from the program: docs/commands.md from the commands' own help, docs/errors.md from the
// rooms' tables of codes. With --check it writes nothing and fails where a file is stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { generateHelpTextForAllCommands } from '@stricli/core'
import { codes as access } from '../src/access/index.ts'
import { codes as attestation } from '../src/attestation/index.ts'
import { codes as base, type CodeTable } from '../src/base/index.ts'
import * as broker from '../src/broker/index.ts'
import { codes as bundle } from '../src/bundle/index.ts'
import { application } from '../src/cli/app.ts'
import { codes as cli } from '../src/cli/codes.ts'
import { exitCodeFor } from '../src/cli/exit-code.ts'
import { codes as content } from '../src/content/index.ts'
import { gateCodes as gate } from '../src/gate/index.ts'
import { codes as image } from '../src/image/index.ts'
import { codes as keys } from '../src/keys/index.ts'
import { codes as log } from '../src/log/index.ts'
import { codes as oci } from '../src/oci/index.ts'
import { codes as policy } from '../src/policy/index.ts'
import { codes as registry } from '../src/registry/index.ts'
import { codes as server } from '../src/server/index.ts'
import { codes as trust } from '../src/trust/index.ts'

const rooms: Readonly<Record<string, CodeTable>> = {
  base,
  oci,
  keys,
  log,
  access,
  content,
  policy,
  registry,
  image,
  trust,
  gate,
  bundle,
  attestation,
  broker: broker.brokerCodes,
  'broker/leases': broker.leaseCodes,
  'broker/nebula': broker.nebulaCodes,
  'broker/packages': broker.packageCodes,
  'broker/pki': broker.pkiCodes,
  'broker/policies': broker.policyCodes,
  'broker/references': broker.referenceCodes,
  'broker/resource': broker.resourceCodes,
  'broker/sessions': broker.sessionCodes,
  'broker/stores': broker.storeCodes,
  'broker/token-keys': broker.tokenKeyCodes,
  server,
  cli,
}

/** The documents by their paths from here. */
export function documents(): ReadonlyMap<string, string> {
  return new Map([
    ['commands.md', commands()],
    ['errors.md', errors()],
  ])
}

function commands(): string {
  const nobody = { stdout: { write: () => undefined }, stderr: { write: () => undefined } }
  const all = generateHelpTextForAllCommands(application({ process: nobody, env: {} }) as never)
  const sections = all.map(([route, help]) => `## ${route}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`)
  return [
    '# Commands',
    '',
    'Generated from the program by `npm run docs`: change the commands, not this file.',
    '',
    'Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failure, 2 usage, 3 not found,',
    '4 authentication, 5 verification failed or policy denied, 130 interrupted. A LOCATION is a reference',
    '(HOST/REPOSITORY:TAG), `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]`,',
    '`archive:FILE[:REF]`, or the path of a file or folder. Settings: [settings.md](settings.md).',
    '',
    ...sections,
  ].join('\n')
}

function errors(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
  const tables = Object.entries(rooms).map(([room, table]) =>
    [
      `## ${room}`,
      '',
      '| Code | Meaning | Remedy | Exit code |',
      '|---|---|---|---|',
      ...Object.entries(table).map(
        ([code, { meaning, remedy }]) =>
          `| \`${code}\` | ${cell(meaning)} | ${cell(remedy)} | ${exitCodeFor(code)} |`,
      ),
      '',
    ].join('\n'),
  )
  return [
    '# Errors',
    '',
    'Generated from the program by `npm run docs`: change the rooms’ `codes.ts`, not this file.',
    '',
    'Every failure has a code that stays the same from version to version; the text beside it does not.',
    '',
    ...tables,
  ].join('\n')
}

/** The documents that do not say what the program says. */
export function stale(): string[] {
  return [...documents()].flatMap(([name, text]) => {
    let there = ''
    try {
      there = readFileSync(new URL(name, import.meta.url), 'utf8')
    } catch {
      // Not there at all, so it is stale.
    }
    return there === text ? [] : [name]
  })
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const names = stale()
    for (const name of names) console.error(`docs/${name} is stale: run \`npm run docs\``)
    process.exitCode = names.length > 0 ? 1 : 0
  } else {
    for (const [name, text] of documents()) writeFileSync(new URL(name, import.meta.url), text)
  }
}
