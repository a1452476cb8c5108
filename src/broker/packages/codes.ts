import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  PACKAGE_DIGEST_DIFFERS: {
    meaning: 'A package of a store or plugin is not the one whose digest the configuration names.',
    remedy:
      'Find out who changed the file. If the new one is wanted and trusted, put its `sha256sum` into the configuration.',
  },
  PACKAGE_INVALID: {
    meaning: 'A package of a store or plugin cannot be loaded, or does not do what such a package must.',
    remedy: 'See docs/broker-extensions.md for what it exports; bundle what it imports into one file.',
  },
  PACKAGE_FAILED: {
    meaning: 'A plugin of a package failed, or answered what no plugin may answer.',
    remedy: 'Look at the plugin, and at what it stands on; its authors know more.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
