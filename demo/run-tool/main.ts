// The demo's run tool: /cnab/app/run of its invocation image (CNAB core, section 103). It pulls the application by
// digest from wherever the relocation mapping says it lives now, unpacks it below /state (a volume that the operator
// mounts) and starts it. The host has no container engine, so the application is a process of its own, in its own
// root directory. Bundled with what it imports into one file, so that the image needs nothing but Node.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type Application, start, stop } from './application.ts'
import { pull } from './pull.ts'

const state = '/state'
const outputs = '/cnab/app/outputs'

interface BundleFile {
  readonly name: string
  readonly images: Readonly<Record<string, { readonly image: string; readonly contentDigest: string }>>
}

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))

/** Where the application's image lives: relocated, or where the bundle was built. */
async function imageReference(): Promise<{ reference: string; digest: string }> {
  const bundle = (await readJson('/cnab/bundle.json')) as BundleFile
  const image = bundle.images.web
  if (!image) throw new Error('the bundle has no image named "web"')
  const mapping = (await readJson('/cnab/app/relocation-mapping.json').catch(() => ({}))) as Record<
    string,
    string
  >
  return { reference: mapping[image.image] ?? image.image, digest: image.contentDigest }
}

async function bringUp(): Promise<void> {
  const { reference, digest } = await imageReference()
  console.log(`pulling ${reference}`)
  const image = await pull(reference, digest, `${state}/images`)
  await stop(state)
  const { url }: Application = await start(state, image, {
    PORT: process.env.PORT ?? '8080',
    GREETING: process.env.GREETING ?? 'Hello',
    IMAGE: reference,
  })
  const page = await (await fetch(url)).text()
  console.log(`${url} answers with ${page.length} bytes`)
  await mkdir(outputs, { recursive: true })
  await writeFile(`${outputs}/url`, url)
  await writeFile(`${outputs}/page`, page)
}

const actions: Readonly<Record<string, () => Promise<void>>> = {
  install: bringUp,
  upgrade: bringUp,
  uninstall: async () => {
    const was = await stop(state)
    console.log(was ? 'stopped' : 'there was nothing to stop')
  },
}

const action = process.env.CNAB_ACTION ?? ''
const act = actions[action]
if (!act) {
  console.error(`this bundle has no action ${JSON.stringify(action)}`)
  process.exit(2)
}
await act()
// Connections to the registry are kept alive; the work is done.
process.exit(0)
