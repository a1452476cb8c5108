export { hostName, isLoopback } from '#oci/index.ts'

/** Where Docker Hub's registry really lives (distribution/reference calls it docker.io). */
export const apiHost = (registry: string): string =>
  registry === 'docker.io' ? 'registry-1.docker.io' : registry
