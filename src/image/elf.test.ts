import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { elfFile } from './elf.suite.ts'
import { type RandomAccess, readElf } from './elf.ts'
import { machineOf } from './machines.ts'

const access = (bytes: Uint8Array): RandomAccess => ({
  sizeBytes: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
})

const name = fc.stringMatching(/^[a-z][a-z0-9.+-]{0,20}$/)
const spec = fc.record(
  {
    bits: fc.constantFrom(32 as const, 64 as const),
    littleEndian: fc.boolean(),
    machine: fc.integer({ min: 0, max: 65535 }),
    interpreter: name.map((text) => `/lib/${text}`),
    needed: fc.uniqueArray(name, { maxLength: 5 }),
    soname: name.map((text) => `lib${text}.so`),
    rpath: name.map((text) => `$ORIGIN/${text}`),
    flags1: fc.constantFrom(0x800, 1),
  },
  { requiredKeys: ['bits', 'littleEndian', 'machine', 'needed'] },
)

test('what is written into an ELF file of any class and byte order is read back', async () => {
  await fc.assert(
    fc.asyncProperty(spec, async (written) => {
      const { flags1, ...rest } = written
      const read = await readElf(access(elfFile(written)))
      assert.deepEqual(read, { ...rest, noDefaultLibraries: flags1 === 0x800 })
    }),
  )
})

test('a RUNPATH replaces the RPATH', async () => {
  const elf = await readElf(access(elfFile({ rpath: '/a', runpath: '/b' })))
  assert.equal(elf.rpath, undefined)
  assert.equal(elf.runpath, '/b')
})

test('any damage is either harmless or EXECUTABLE_INVALID', async () => {
  const file = elfFile({
    interpreter: '/lib/ld.so',
    needed: ['liba.so', 'libb.so'],
    soname: 's',
    rpath: '/x',
  })
  const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(damage, fc.nat(file.length), async (changes, length) => {
      const bytes = Uint8Array.from(file.subarray(0, Math.max(length, 4)))
      for (const [at, value] of changes) if (at > 3 && at < bytes.length) bytes[at] = value
      await readElf(access(bytes)).catch((error) => assert.ok(isFailure(error, 'EXECUTABLE_INVALID'), error))
    }),
    { numRuns: 500 },
  )
})

test('any other bytes are EXECUTABLE_INVALID', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await assert.rejects(readElf(access(bytes)), { code: 'EXECUTABLE_INVALID' })
    }),
  )
})

test('headers, dynamic entries and names are bounded', async () => {
  const rejects = (bytes: Uint8Array, bounds: Partial<Record<keyof typeof limits, number>>) =>
    assert.rejects(readElf(access(bytes), { ...limits, ...bounds }), { code: 'EXECUTABLE_INVALID' })
  const accepts = (bytes: Uint8Array, bounds: Partial<Record<keyof typeof limits, number>>) =>
    readElf(access(bytes), { ...limits, ...bounds })
  const headers = elfFile({ extraHeaders: 8 })
  await accepts(headers, { programHeaders: 10 })
  await rejects(headers, { programHeaders: 9 })
  const dynamic = elfFile({ padding: 7 })
  await accepts(dynamic, { dynamicEntries: 10 })
  await rejects(dynamic, { dynamicEntries: 9 })
  const needed = elfFile({ needed: ['a', 'b', 'c'] })
  await accepts(needed, { sharedLibraries: 3 })
  await rejects(needed, { sharedLibraries: 2 })
  const long = elfFile({ needed: ['x'.repeat(50)] })
  await accepts(long, { pathBytes: 50 })
  await rejects(long, { pathBytes: 49 })
})

test('machines are known by OCI’s names', async () => {
  const architecture = async (machine: number, bits: 32 | 64, littleEndian = true) =>
    machineOf(await readElf(access(elfFile({ machine, bits, littleEndian }))))?.architecture
  assert.equal(await architecture(62, 64), 'amd64')
  assert.equal(await architecture(183, 64), 'arm64')
  assert.equal(await architecture(22, 64, false), 's390x')
  assert.equal(await architecture(3, 32), '386')
  assert.equal(await architecture(999, 64), undefined)
})
