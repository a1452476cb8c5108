import type { TufRoot, TufUpdate } from './tuf-root.ts'

export type { TufRoot, TufUpdate } from './tuf-root.ts'

/** `fetchTufRoot` of tuf-root.ts, whose library is loaded only when somebody updates by TUF. */
export async function fetchTufRoot(update: TufUpdate): Promise<TufRoot> {
  return (await import('./tuf-root.ts')).fetchTufRoot(update)
}
