import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { failure } from '../codes.ts'

/** Where installations are remembered: SEALIFT_STATE_DIR, else XDG_STATE_HOME/sealift, else ~/.local/state/sealift. */
export function stateDirectory(
  env: Readonly<Record<string, string | undefined>>,
  home: () => string = homedir,
): string {
  if (env.SEALIFT_STATE_DIR) return env.SEALIFT_STATE_DIR
  // XDG Base Directory Specification: a relative path is ignored.
  const base = env.XDG_STATE_HOME
  return base && isAbsolute(base) ? join(base, 'sealift') : join(home(), '.local', 'state', 'sealift')
}

/** @throws INSTALLATION_NAME */
export function checkInstallationName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return name
  throw failure(
    'INSTALLATION_NAME',
    `${JSON.stringify(name.slice(0, 200))} cannot be the name of an installation`,
  )
}
