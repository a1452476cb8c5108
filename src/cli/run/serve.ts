import { resolve } from 'node:path'
import type { Container, Repositories } from '#content/index.ts'
import { failure } from '../codes.ts'
import type { ServeFlags } from '../commands/serve.ts'
import type { Context } from '../context.ts'
import { openServingFor } from '../gate/gate-for.ts'
import { openContainer } from '../open-location.ts'
import { registryAccess } from '../registry-access.ts'
import { serveUntilStopped, warnIfOpen } from '../serve-until-stopped.ts'
import { openSession } from '../session.ts'

export async function run(this: Context, flags: ServeFlags, text: string): Promise<void> {
  const access = registryAccess(this, flags)
  await using session = await openSession(this, flags)
  const location = await session.location(text)
  if (location.kind === 'registry') {
    throw failure('USAGE', `${text} is a reference, and is served already; name an archive or oci:DIR`)
  }
  const container = await openContainer(location)
  await using stack = new AsyncDisposableStack()
  stack.defer(() => container.close())
  const repositories = await withOverlay(this, container, flags.overlay)
  const { listen, verbose } = flags
  const isGuarded = flags.htpasswd !== undefined || flags.access !== undefined
  if (flags.overlay !== undefined) warnIfOpen(this, listen, isGuarded)
  const gate = await openServingFor(this, session, flags, listen, { container })
  if (gate) stack.use(gate)
  const options = { repositories, ...access, ...gate?.options }
  await serveUntilStopped(this, session.format, options, { listen, verbose, served: text })
}

async function withOverlay(
  context: Context,
  container: Container,
  directory: string | undefined,
): Promise<Repositories> {
  if (directory === undefined) return container
  const { openDataDirectory, overlay } = await import('#content/index.ts')
  return overlay(container, await openDataDirectory(resolve(context.cwd, directory)))
}
