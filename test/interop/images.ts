// Real images without the internet's registries: a minimal Debian by debootstrap from the mirror that this machine's
// apt uses, then nginx and Python on it by buildah, each for two platforms in one index.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findPeer, peersCache } from './peers.ts'
import { run } from './workbench.ts'

/** What run.ts hands to the tests, so that the images are made once. */
export const imagesVariable = 'SEALIFT_INTEROP_IMAGES'

/** The tags of the layout; both are indexes of linux/amd64 and linux/arm64 (or what this machine is, and another). */
export const imageTags = ['nginx', 'python'] as const

/**
 * The path of an OCI layout with `imageTags`. Made in `folder` where run.ts has not made it already, so that a test
 * file can be run by itself.
 */
export async function imageLayout(folder: string): Promise<string> {
  return process.env[imagesVariable] ?? (await makeImages(folder))
}

/** Makes the images in `folder` (half a minute, and once per suite half a minute more for the root file system). */
export async function makeImages(folder: string): Promise<string> {
  const work = join(folder, 'images')
  await mkdir(work)
  const buildah = new Buildah(work)
  const layout = join(work, 'layout')
  await writeFile(join(work, 'base'), 'FROM scratch\nADD rootfs.tar /\n')
  await buildah.run(
    'bud',
    '--isolation',
    'chroot',
    '-t',
    'base',
    '-f',
    join(work, 'base'),
    await rootFileSystem(),
  )
  await buildah.image(layout, 'nginx', 'nginx-light', '["nginx", "-g", "daemon off;"]')
  await buildah.image(layout, 'python', 'python3-minimal', '["python3"]')
  await rm(join(work, 'storage'), { recursive: true, force: true })
  return layout
}

class Buildah {
  readonly #work: string
  readonly #options: readonly string[]
  readonly #proxy: Promise<Record<string, string>> = aptProxy()

  constructor(work: string) {
    this.#work = work
    const storage = join(work, 'storage')
    this.#options = [
      '--storage-driver',
      'vfs',
      '--root',
      join(storage, 'root'),
      '--runroot',
      join(storage, 'run'),
    ]
  }

  async run(...args: readonly string[]): Promise<string> {
    const output = await run(program('buildah'), [...this.#options, ...args], { env: await this.#proxy })
    return output.stdout.trim()
  }

  /** Installs a Debian package on the base, and puts an index of it for two platforms into the layout. */
  async image(layout: string, name: string, debianPackage: string, command: string): Promise<void> {
    const context = join(this.#work, name)
    await mkdir(context)
    const install = `apt-get install -y -qq --no-install-recommends ${debianPackage}`
    await writeFile(
      join(context, 'Containerfile'),
      `FROM localhost/base\nRUN apt-get update -qq && ${install} && rm -rf /var/lib/apt/lists/* /var/cache/apt/*\nCMD ${command}\n`,
    )
    await this.run('bud', '--isolation', 'chroot', '-t', name, context)
    // The same files once more, declared for another architecture, with one small layer of its own.
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64'
    await writeFile(join(context, 'platform'), `${other}\n`)
    const container = await this.run('from', '--pull-never', `localhost/${name}`)
    await this.run('config', '--arch', other, container)
    await this.run('copy', container, join(context, 'platform'), '/etc/platform')
    await this.run('commit', '-q', '--rm', container, `${name}-${other}`)
    await this.run('manifest', 'create', `${name}-index`)
    for (const image of [name, `${name}-${other}`]) {
      await this.run('manifest', 'add', `${name}-index`, `containers-storage:localhost/${image}`)
    }
    await this.run('manifest', 'push', '-q', '--all', `${name}-index`, `oci:${layout}:${name}`)
  }
}

/** A folder with rootfs.tar, kept in the peers' cache under the suite's name. */
async function rootFileSystem(): Promise<string> {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1]
  if (suite === undefined) throw new Error('images: /etc/os-release names no suite')
  const kept = join(peersCache, `rootfs-${suite}-${process.arch}`)
  if (existsSync(join(kept, 'rootfs.tar'))) return kept
  await mkdir(kept, { recursive: true })
  const work = await mkdtemp(join(kept, 'making-'))
  try {
    const root = join(work, 'root')
    await run(program('debootstrap'), ['--variant=minbase', suite, root, await aptMirror()], {
      env: await aptProxy(),
    })
    const left = ['./dev/*', './var/cache/apt/archives/*.deb', './var/lib/apt/lists/*', './var/log/*']
    const exclude = left.map((pattern) => `--exclude=${pattern}`)
    await run('tar', ['-C', root, '--numeric-owner', ...exclude, '-cf', join(work, 'rootfs.tar'), '.'])
    await rename(join(work, 'rootfs.tar'), join(kept, 'rootfs.tar'))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return kept
}

/** The mirror that this machine's apt takes `main` from. */
async function aptMirror(): Promise<string> {
  const { stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(COMPONENT) $(CREATED_BY)',
  ])
  const found = stdout
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, component, kind]) => component === 'main' && kind === 'Packages')
  if (!found?.[0]) throw new Error('images: apt has no source for main')
  return found[0]
}

async function aptProxy(): Promise<Record<string, string>> {
  const { stdout } = await run('apt-config', ['dump', '--format', '%v%n', 'Acquire::http::Proxy'])
  const proxy = stdout.trim()
  return proxy === '' || proxy === 'DIRECT' ? {} : { http_proxy: proxy }
}

function program(name: 'buildah' | 'debootstrap'): string {
  const path = findPeer(name)
  if (path === undefined) throw new Error(`${name} is not installed: sh test/peers/install.sh`)
  return path
}
