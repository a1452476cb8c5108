import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  BUNDLE_INVALID: {
    meaning: 'A bundle.json breaks the rules of CNAB core 1.2 (section 101).',
    remedy: 'Mend the places that the message names, or ask the publisher of the bundle for a good one.',
  },
  BUNDLE_SCHEMA_VERSION: {
    meaning: 'A bundle.json is written for a version of CNAB that is not 1.x.',
    remedy: 'Use a tool that knows that version, or ask for the bundle as CNAB 1.2.',
  },
  BUNDLE_INDEX_INVALID: {
    meaning: 'An index in a registry or archive does not hold a CNAB bundle (section 201).',
    remedy: 'Check the reference: it may name an image and not a bundle.',
  },
  EXTENSION_UNSUPPORTED: {
    meaning: 'The bundle requires an extension that this version does not support.',
    remedy: 'Use a tool that supports it; `sealift inspect` lists what the bundle requires.',
  },
  DEFINITION_INVALID: {
    meaning:
      'A definition is not a JSON Schema (draft-07) that can be used, or names something outside itself.',
    remedy: 'Mend the definition: only local references, known keywords of the right type, valid patterns.',
  },
  DEFINITION_TOO_COSTLY: {
    meaning: 'Checking a value against its definition took longer than the limit, as hostile patterns do.',
    remedy: 'Treat the bundle as hostile, or ask its publisher for simpler patterns and references.',
  },
  PARAMETER_UNKNOWN: {
    meaning: 'A value was given for a parameter that the bundle does not have.',
    remedy: 'Check the spelling; `sealift inspect` lists the parameters.',
  },
  PARAMETER_MISSING: {
    meaning: 'A required parameter has no value.',
    remedy: 'Give it with --param NAME=VALUE.',
  },
  PARAMETER_INVALID: {
    meaning: 'The value of a parameter does not fit its definition.',
    remedy: 'Give a value that fits; `sealift inspect` shows what the definition asks for.',
  },
  CREDENTIAL_MISSING: {
    meaning: 'A required credential has no source.',
    remedy: 'Name it in a credential set, with one of path, value, env or command as its source.',
  },
  CREDENTIAL_SET_INVALID: {
    meaning: 'A credential set is not what CNAB section 802 describes.',
    remedy: 'Each credential needs a name and a source with exactly one of path, value, env, command.',
  },
  CREDENTIAL_SOURCE: {
    meaning: 'The source of a credential gave nothing: no such file or variable, or the command failed.',
    remedy: 'Check the source on this machine; the value itself is never shown.',
  },
  ACTION_UNKNOWN: {
    meaning: 'The bundle has no such action.',
    remedy: 'Use install, upgrade or uninstall, or one that `sealift inspect` lists.',
  },
  ACTION_FAILED: {
    meaning: 'The run tool ended with an exit code other than 0; the state of the installation is undefined.',
    remedy: 'Read `sealift logs NAME`, mend the cause, and run the action again.',
  },
  ACTION_TIMEOUT: {
    meaning: 'The run tool took longer than it was given, and was stopped.',
    remedy: 'Read `sealift logs NAME`, and give more time with --timeout.',
  },
  ACTION_CANCELED: {
    meaning: 'The action was stopped before its end; the state of the installation is undefined.',
    remedy: 'Run the action again.',
  },
  OPERATION_INVALID: {
    meaning: 'What the bundle wants to put into the invocation image cannot be put there.',
    remedy: 'Two things claim one place, or a name cannot be one: ask the publisher of the bundle.',
  },
  INVOCATION_IMAGE_UNSUPPORTED: {
    meaning: 'None of the invocation images is for this machine and driver.',
    remedy: 'Run it on another machine or with another driver; `sealift inspect` shows what the bundle has.',
  },
  IMAGE_DIGEST: {
    meaning: 'An image does not have the digest that the bundle promises.',
    remedy: 'Do not run the bundle: the image or the bundle was replaced. Fetch both again.',
  },
  OUTPUT_MISSING: {
    meaning: 'The run tool did not write an output that has no default.',
    remedy: 'Ask the publisher of the bundle, or read `sealift logs NAME`.',
  },
  OUTPUT_INVALID: {
    meaning: 'An output does not fit its definition, or is larger than the limit.',
    remedy: 'Ask the publisher of the bundle, or read `sealift logs NAME`.',
  },
  OUTPUT_HOSTILE: {
    meaning: 'An output is not a plain file below /cnab/app/outputs: a link, a device, a folder.',
    remedy: 'Treat the bundle as hostile.',
  },
  DRIVER_UNAVAILABLE: {
    meaning: 'The driver cannot work on this machine.',
    remedy: 'Install what the message names, or use another driver.',
  },
  DRIVER_FAILED: {
    meaning: 'The driver could not start the invocation image.',
    remedy: 'Read the message of the tool below it; another driver may do.',
  },
  ROOTFS_HOSTILE: {
    meaning: 'The file system of an image is built so that writing into it would leave it.',
    remedy: 'Treat the image as hostile.',
  },
  VOLUME_INVALID: {
    meaning: 'A text is not a volume, or its folder is not there.',
    remedy: 'Write it as HOST:PATH or HOST:PATH:ro, both absolute, and make the folder first.',
  },
  INSTALLATION_NAME: {
    meaning: 'A text cannot be the name of an installation.',
    remedy: 'Use letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 128.',
  },
  INSTALLATION_EXISTS: {
    meaning: 'There is an installation of this name already.',
    remedy: 'Upgrade or uninstall it, or choose another name.',
  },
  INSTALLATION_NOT_FOUND: {
    meaning: 'There is no installation of this name.',
    remedy: '`sealift installations` lists those that are.',
  },
  INSTALLATION_BUSY: {
    meaning: 'Another operation on this installation is under way.',
    remedy: 'Wait until it has ended, and try again.',
  },
  CLAIM_INVALID: {
    meaning: 'A stored claim or result is damaged.',
    remedy: 'Restore the state directory from a backup, or remove the installation from it.',
  },
  RELOCATION_INVALID: {
    meaning: 'A relocation mapping is malformed, incomplete, or leads to another digest.',
    remedy: 'Run `sealift relocate` again for this bundle and use the mapping it writes.',
  },
  IMAGE_UNPINNED: {
    meaning: 'An image of the bundle is named by a tag alone, so it cannot be carried with its digest.',
    remedy: 'Build the bundle with `sealift build`, which pins every reference.',
  },
  PROJECT_INVALID: {
    meaning: 'The project file holds something unknown or malformed.',
    remedy: 'Mend the place that the message names.',
  },
  CHART_INVALID: {
    meaning: 'A file is not a packaged Helm chart.',
    remedy: 'Make it with `helm package`.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
