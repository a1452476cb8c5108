import { accessSync, constants } from 'node:fs'

const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Where a system's program is: in PATH, then in the places where root finds it. */
export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  return [...path.split(':').filter((directory) => directory.startsWith('/')), ...directories]
    .map((directory) => `${directory}/${name}`)
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
