import { existsSync } from 'node:fs'

/** The demo's sealift.yaml: a web application and its run tool, both on nothing but Node and its libraries. */
export function projectFile(registry: string) {
  // The same layer in both images, so that it travels once.
  const node = { executables: [{ from: process.execPath, to: '/usr/local/bin/node' }] }
  const chroot = ['/usr/sbin/chroot', '/usr/bin/chroot'].find((path) => existsSync(path))
  if (!chroot) throw new Error('the run tool needs coreutils: there is no chroot on this machine')
  return {
    name: 'hello',
    version: '1.0.0',
    description: 'A web page that crosses a gap',
    registry,
    invocationImage: {
      build: {
        layers: [
          node,
          {
            executables: [{ from: chroot, to: '/usr/sbin/chroot' }],
            files: [{ from: 'run', to: '/cnab/app/run', mode: 0o755 }],
          },
        ],
      },
    },
    images: {
      web: {
        description: 'The web application',
        build: {
          layers: [
            node,
            {
              files: [{ from: 'server.mjs', to: '/app/server.mjs' }],
              directories: [{ path: '/tmp', mode: 0o1777 }],
            },
          ],
          config: { entrypoint: ['/usr/local/bin/node', '/app/server.mjs'], exposedPorts: ['8080/tcp'] },
        },
      },
    },
    parameters: {
      port: { schema: { type: 'integer', minimum: 1, maximum: 65_535, default: 8080 }, env: 'PORT' },
      greeting: { schema: { type: 'string', default: 'Hello' }, env: 'GREETING' },
    },
    outputs: {
      url: { schema: { type: 'string' }, applyTo: ['install', 'upgrade'] },
      page: { schema: { type: 'string' }, applyTo: ['install', 'upgrade'] },
    },
  }
}
