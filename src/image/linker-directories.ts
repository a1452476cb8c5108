import { dirname, join, matchesGlob } from 'node:path'
import { type Limits, limits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { HostFiles } from './host-files.ts'
import type { Machine } from './machines.ts'

/**
 * The directories that ldconfig puts into the dynamic linker's cache: /etc/ld.so.conf and what it includes
 * (ldconfig(8)). A file that was read already is not read again, so includes in a circle end.
 *
 * @throws IMAGE_FILE_UNSUITABLE where the files are more than `bounds.linkerConfigFiles`
 */
export async function configuredDirectories(
  files: HostFiles,
  bounds: Pick<Limits, 'linkerConfigFiles' | 'linkerBytes'> = limits,
): Promise<readonly string[]> {
  const directories = new Set<string>()
  const seen = new Set<string>()
  async function readConfig(path: string): Promise<void> {
    if (seen.has(path)) return
    seen.add(path)
    if (seen.size > bounds.linkerConfigFiles) {
      throw failure(
        'IMAGE_FILE_UNSUITABLE',
        `/etc/ld.so.conf includes more than ${bounds.linkerConfigFiles} files`,
      )
    }
    const bytes = await files.read(path, bounds.linkerBytes)
    for (const line of new TextDecoder().decode(bytes).split('\n')) {
      const text = line.replace(/#.*/, '').trim()
      const include = /^include\s+(.+)$/.exec(text)
      if (include) {
        // What is included counts from here on, before the lines that follow.
        for (const pattern of include[1]!.split(/\s+/)) {
          for (const included of await expand(files, path, pattern)) await readConfig(included)
        }
      } else if (text.startsWith('/')) {
        // "DIRECTORY=TYPE" is an old form that ldconfig still reads.
        directories.add(text.replace(/\s*=.*/, '').replace(/(?<=.)\/+$/, ''))
      }
    }
  }
  await readConfig('/etc/ld.so.conf')
  return [...directories]
}

async function expand(files: HostFiles, from: string, pattern: string): Promise<readonly string[]> {
  const whole = pattern.startsWith('/') ? pattern : join(dirname(from), pattern)
  const directory = dirname(whole)
  const names = await files.names(directory)
  return names.map((name) => join(directory, name)).filter((path) => matchesGlob(path, whole))
}

/**
 * Where a dynamic linker looks when nothing tells it to look elsewhere, and where a library in an image must lie
 * to be found without a cache. It is compiled in, so it is read out of the linker: glibc keeps
 * "/lib/x86_64-linux-gnu/", "/usr/lib/..." and so on, each ended by NUL; musl one list with colons.
 */
export function defaultDirectories(linker: Uint8Array, machine: Machine | undefined): readonly string[] {
  const bytes = Buffer.from(linker.buffer, linker.byteOffset, linker.length)
  if (bytes.includes('/lib:/usr/local/lib:/usr/lib')) return ['/lib', '/usr/local/lib', '/usr/lib']
  const names = machine ? [machine.triplet, '64', '', 'x32', '32'] : ['64', '']
  const candidates = names.flatMap((name) => {
    const end = name === machine?.triplet ? `/${name}` : name
    return [`/lib${end}`, `/usr/lib${end}`]
  })
  const known = candidates.filter((directory) => bytes.includes(`\0${directory}/\0`))
  return known.length > 0 ? known : ['/lib', '/usr/lib']
}
