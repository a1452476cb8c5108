import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { type Limits, limits } from '#base/index.ts'
import { type ElfSpec, elfFile } from './elf.suite.ts'
import { hostFiles } from './host-files.ts'
import { sharedLibraries } from './shared-libraries.ts'

const linker = '/lib64/ld.so'
const glibc = Buffer.concat([elfFile({ soname: 'ld.so' }), Buffer.from('\0/lib/\0/usr/lib/\0')])

/** A system in a folder of its own: paths to ELF files, other content, or links ("-> target"). */
async function system(files: Readonly<Record<string, ElfSpec | Uint8Array<ArrayBufferLike> | string>>) {
  const root = await mkdtemp(join(tmpdir(), 'sealift-sysroot-'))
  for (const [path, content] of Object.entries({ [linker]: glibc, ...files })) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    if (isLink(content)) await symlink(content.slice(3), join(root, path))
    else if (typeof content === 'string' || ArrayBuffer.isView(content))
      await writeFile(join(root, path), content)
    else await writeFile(join(root, path), elfFile(content))
  }
  return {
    root,
    find: async (executable: string, extra: readonly string[] = [], bounds: Limits = limits) =>
      (await sharedLibraries(executable, hostFiles(root), extra, bounds)).files.map(
        ({ from, to }) => `${from} ${to}`,
      ),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

const isLink = (content: unknown): content is string =>
  typeof content === 'string' && content.startsWith('-> ')

const app = (spec: ElfSpec): ElfSpec => ({ interpreter: linker, ...spec })

test('libraries of libraries are found, links become files under the name that is needed', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so.1', 'libc.so'] }),
    '/usr/lib/liba.so.1': '-> liba.so.1.2.3',
    '/usr/lib/liba.so.1.2.3': { needed: ['libb.so', 'libc.so'] },
    '/lib/libb.so': { needed: ['liba.so.1'] },
    '/lib/libc.so': { needed: ['ld.so'] },
    '/lib/ld.so': '-> ../lib64/ld.so',
  })
  assert.deepEqual(await host.find('/bin/app'), [
    `${linker} ${linker}`,
    '/usr/lib/liba.so.1.2.3 /lib/liba.so.1',
    '/lib/libc.so /lib/libc.so',
    '/lib/libb.so /lib/libb.so',
  ])
})

test('RPATH is inherited, RUNPATH is not, and both know $ORIGIN', async () => {
  const files = {
    '/opt/app/lib/liba.so': { needed: ['libb.so'] },
    '/opt/app/lib/libb.so': {},
    '/usr/lib/libb.so': {},
  }
  await using rpath = await system({
    '/opt/app/bin/app': app({ needed: ['liba.so'], rpath: '$ORIGIN/../lib' }),
    ...files,
  })
  assert.ok((await rpath.find('/opt/app/bin/app')).includes('/opt/app/lib/libb.so /lib/libb.so'))
  await using runpath = await system({
    '/opt/app/bin/app': app({ needed: ['liba.so'], runpath: `$\{ORIGIN}/../lib` }),
    ...files,
  })
  assert.ok((await runpath.find('/opt/app/bin/app')).includes('/usr/lib/libb.so /lib/libb.so'))
})

test('a library with a RUNPATH of its own does not look into the RPATH of who loads it', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so'], rpath: '/opt' }),
    '/opt/liba.so': { needed: ['libb.so'], runpath: '/other' },
    '/opt/libb.so': {},
    '/other/libb.so': {},
  })
  assert.ok((await host.find('/bin/app')).includes('/other/libb.so /lib/libb.so'))
})

test('the directories of ld.so.conf and its includes come before the default ones', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so', 'libb.so', 'libd.so'] }),
    '/etc/ld.so.conf': '# comment\ninclude ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n/late # there\n',
    '/etc/ld.so.conf.d/a.conf': '/first/\n',
    '/etc/ld.so.conf.d/b.off': '/never\n',
    '/first/liba.so': {},
    '/late/liba.so': {},
    '/late/libd.so': {},
    '/never/libb.so': {},
    '/usr/lib/libb.so': {},
  })
  assert.deepEqual((await host.find('/bin/app')).slice(1), [
    '/first/liba.so /lib/liba.so',
    '/usr/lib/libb.so /lib/libb.so',
    '/late/libd.so /lib/libd.so',
  ])
})

test('files of another machine and files that are no libraries are passed over', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so'], runpath: '/text:/arm:/short:/good' }),
    '/text/liba.so': 'INPUT(libreal.so)',
    '/arm/liba.so': { machine: 183 },
    '/short/liba.so': { bits: 32 },
    '/good/liba.so': {},
  })
  assert.ok((await host.find('/bin/app')).includes('/good/liba.so /lib/liba.so'))
})

test('DF_1_NODEFLIB keeps the search out of the default directories', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so'], flags1: 0x800 }),
    '/lib/liba.so': {},
  })
  await assert.rejects(host.find('/bin/app'), { code: 'LIBRARY_MISSING' })
})

test('a missing library is told with who needs it', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so'] }),
    '/lib/liba.so': { needed: ['gone.so'] },
  })
  await assert.rejects(host.find('/bin/app'), {
    code: 'LIBRARY_MISSING',
    detail: { library: 'gone.so', neededBy: 'liba.so' },
  })
  await using bare = await system({ '/bin/app': app({ interpreter: '/lib/none.so' }) })
  await assert.rejects(bare.find('/bin/app'), {
    code: 'LIBRARY_MISSING',
    detail: { library: '/lib/none.so', neededBy: '/bin/app' },
  })
})

test('libraries that the program opens itself come along with theirs', async () => {
  await using host = await system({
    '/bin/app': app({}),
    '/lib/plug.so': { needed: ['libx.so'] },
    '/usr/lib/libx.so': {},
  })
  assert.deepEqual((await host.find('/bin/app', ['plug.so'])).slice(1), [
    '/lib/plug.so /lib/plug.so',
    '/usr/lib/libx.so /lib/libx.so',
  ])
})

test('a static executable brings nothing', async () => {
  await using host = await system({ '/bin/app': {} })
  assert.deepEqual(await host.find('/bin/app'), [])
  await assert.rejects(host.find('/bin/app', ['plug.so']), { code: 'EXECUTABLE_INVALID' })
})

test('what is no executable is refused, and a relative need too', async () => {
  await using host = await system({
    '/bin/script': '#!/bin/sh\n',
    '/bin/app': app({ needed: ['../lib/x.so'] }),
  })
  await assert.rejects(host.find('/bin/script'), { code: 'EXECUTABLE_INVALID' })
  await assert.rejects(host.find('/bin/none'), { code: 'IMAGE_FILE_UNSUITABLE' })
  await assert.rejects(host.find('/bin/app'), { code: 'EXECUTABLE_INVALID' })
})

test('the number of libraries and of configuration files is bounded', async () => {
  await using host = await system({
    '/bin/app': app({ needed: ['liba.so', 'libb.so'] }),
    '/lib/liba.so': {},
    '/lib/libb.so': {},
    '/etc/ld.so.conf': 'include /etc/one /etc/two',
    '/etc/one': '',
    '/etc/two': '',
  })
  await host.find('/bin/app', [], { ...limits, sharedLibraries: 2, linkerConfigFiles: 3 })
  await assert.rejects(host.find('/bin/app', ['libz.so'], { ...limits, sharedLibraries: 2 }), {
    code: 'EXECUTABLE_INVALID',
  })
  await assert.rejects(host.find('/bin/app', [], { ...limits, linkerConfigFiles: 2 }), {
    code: 'IMAGE_FILE_UNSUITABLE',
  })
})
