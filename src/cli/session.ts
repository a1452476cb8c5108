import type { Context } from './context.ts'
import type { ConcurrencyFlag, FormatFlag, RegistryFlags } from './flags.ts'
import { type Location, parseLocation } from './locations.ts'
import { type Opened, openLocation } from './open-location.ts'
import type { Registries } from './registries.ts'
import { loadSettings, type Settings } from './settings.ts'
import type { Format } from './shell/print.ts'

export type SessionFlags = Partial<FormatFlag & RegistryFlags & ConcurrencyFlag>

/** What one run of a command works with: settings under flags, and registries once somebody asks for them. */
export interface Session extends AsyncDisposable {
  readonly settings: Settings
  readonly format: Format
  readonly concurrency: number
  readonly signal: AbortSignal
  registries(): Promise<Registries>
  /** @throws LOCATION_INVALID */
  location(text: string): Promise<Location>
  /** Opens a location to read; closed with the session. */
  open(location: Location): Promise<Opened>
}

/** @throws SETTINGS_INVALID */
export async function openSession(context: Context, flags: SessionFlags): Promise<Session> {
  const settings = await loadSettings(context)
  const stack = new AsyncDisposableStack()
  let registries: Promise<Registries> | undefined
  const session: Session = {
    settings,
    format: flags.format ?? settings.format ?? 'text',
    concurrency: flags.concurrency ?? settings.concurrency ?? 8,
    signal: context.signal,
    registries: () => {
      registries ??= import('./registries.ts').then(async ({ openRegistries }) =>
        stack.use(await openRegistries(context, settings, flags)),
      )
      return registries
    },
    location: (text) => parseLocation(text, context.cwd),
    open: async (location) =>
      stack.use(await openLocation(location, session.registries, { signal: context.signal })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
  return session
}
