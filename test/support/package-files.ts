import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const digestOf = (bytes: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A folder with packages in it, which goes when it is let go. */
export class PackageFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'sealift-packages-'))

  /** Writes a package. @returns its path and digest as a configuration has them */
  put(name: string, text: string | Uint8Array): { readonly path: string; readonly digest: string } {
    writeFileSync(join(this.path, name), text)
    return { path: name, digest: digestOf(text) }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The example of this name in docs/broker-extensions.md. */
export function documentedPackage(name: string): string {
  const text = readFileSync(new URL('../../docs/broker-extensions.md', import.meta.url), 'utf8')
  const begin = `\`\`\`js ${name}\n`
  const start = text.indexOf(begin)
  if (start < 0) throw new Error(`docs/broker-extensions.md has no ${name}`)
  return text.slice(start + begin.length, text.indexOf('```', start + begin.length))
}
