import { stat } from 'node:fs/promises'
import { containerMirror, type Mirror, registryMirror } from '#server/index.ts'
import { failure } from '../codes.ts'
import { openContainer } from '../open-location.ts'
import type { Session } from '../session.ts'

/** Mirrors as somebody wrote them; each registry itself where nothing was written. @throws LOCATION_INVALID */
export async function openMirrors(
  session: Session,
  texts: readonly string[],
  stack: AsyncDisposableStack,
): Promise<readonly Mirror[]> {
  const registries = await session.registries()
  if (texts.length === 0) return [registryMirror(registries)]
  const mirrors: Mirror[] = []
  for (const text of texts) mirrors.push(await openMirror(session, text, stack))
  return mirrors
}

async function openMirror(session: Session, text: string, stack: AsyncDisposableStack): Promise<Mirror> {
  // HOST alone, with or without a port, is no location.
  if (/^[\w.-]+(:\d+)?\/?$/.test(text) && !/\.(tgz|tar)$/.test(text)) {
    return registryMirror(await session.registries(), text)
  }
  const location = await session.location(text)
  if (location.kind === 'registry') {
    const { tag, digest } = location.reference
    if (tag !== undefined || digest !== undefined) {
      throw failure('LOCATION_INVALID', `${text} names one image; a mirror is HOST/PREFIX`)
    }
    return registryMirror(await session.registries(), text)
  }
  const { path } = location
  const mirror = containerMirror({
    name: text,
    open: () => openContainer(location),
    stamp: async () => {
      const { ino, size, mtimeMs } = await stat(location.kind === 'layout' ? `${path}/index.json` : path)
      return `${ino} ${size} ${mtimeMs}`
    },
  })
  return stack.use(mirror)
}
