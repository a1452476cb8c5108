import { posix } from 'node:path'
import semver from 'semver'
import { type Problem, pointer } from '#base/shape/index.ts'
import { isDigest } from '#oci/index.ts'
import type { CnabBundle } from './bundle-schema.ts'

/** 101: the actions that every bundle has, and that `actions` must not name. */
export const builtInActions = ['install', 'upgrade', 'uninstall'] as const
export const outputsDirectory = '/cnab/app/outputs'

// What the published schema means but does not anchor: 1, 1.0 and v1.0.0 are in the wild.
const versionGrammar =
  /^v?(0|[1-9]\d{0,15})(\.(0|[1-9]\d{0,15}))?(\.(0|[1-9]\d{0,15}))?(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/
const schemaVersionGrammar = /^v?1(\.\d{1,4}){0,2}(-[0-9A-Za-z.-]{1,64})?(\+[0-9A-Za-z.-]{1,64})?$/
// IEEE 1003.1, section 8.1, but for what no shell can name.
const envGrammar = /^[^=\0]{1,255}$/

export const isSchemaVersion = (text: string): boolean => schemaVersionGrammar.test(text)

/** Whether a path is this directory or lies below it, once "." and ".." are gone. */
export function isWithin(directory: string, path: string): boolean {
  const plain = rooted(path)
  return plain === directory || plain.startsWith(`${directory}/`)
}

/** 101: a relative path counts from the root. Without "." and "..", nor a slash at its end. */
export function rooted(path: string): string {
  const plain = posix.normalize(`/${path}`)
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain
}

/** The rules of 101 that no JSON Schema holds, over a bundle of the right shape. */
export function bundleProblems(bundle: CnabBundle): Problem[] {
  return [
    ...versionProblems(bundle),
    ...imageProblems(bundle),
    ...parameterProblems(bundle),
    ...credentialProblems(bundle),
    ...outputProblems(bundle),
    ...actionProblems(bundle),
    ...extensionProblems(bundle),
  ]
}

/** What is legal enough to read, but that its publisher should know. */
export function bundleNotes(bundle: CnabBundle): Problem[] {
  const notes: Problem[] = []
  if (semver.parse(bundle.version)?.raw !== bundle.version || bundle.version.startsWith('v')) {
    notes.push({ path: '/version', why: 'is not a whole semantic version (2.0.0), as 101 asks' })
  }
  for (const [path, { contentDigest }] of imageEntries(bundle)) {
    if (contentDigest === undefined)
      notes.push({ path, why: 'has no contentDigest, so it cannot be validated' })
    else if (!isDigest(contentDigest)) notes.push({ path, why: 'has a contentDigest that is no digest' })
  }
  return notes
}

function imageEntries({ invocationImages, images = {} }: CnabBundle) {
  return [
    ...invocationImages.map((image, at) => [pointer('invocationImages', at), image] as const),
    ...Object.entries(images).map(([name, image]) => [pointer('images', name), image] as const),
  ]
}

function versionProblems({ version, schemaVersion }: CnabBundle): Problem[] {
  const problems: Problem[] = []
  if (version.length > 256 || !versionGrammar.test(version)) {
    problems.push({ path: '/version', why: 'is not a semantic version' })
  }
  if (!isSchemaVersion(schemaVersion)) {
    problems.push({ path: '/schemaVersion', why: 'is not a version of CNAB, such as "v1.2.0"' })
  }
  return problems
}

function imageProblems(bundle: CnabBundle): Problem[] {
  return imageEntries(bundle)
    .filter(([, { image }]) => image === '')
    .map(([path]) => ({ path: `${path}/image`, why: 'is empty' }))
}

function parameterProblems({ parameters = {}, definitions = {} }: CnabBundle): Problem[] {
  return Object.entries(parameters).flatMap(([name, { definition, destination }]) => [
    ...(Object.hasOwn(definitions, definition)
      ? []
      : [{ path: pointer('parameters', name, 'definition'), why: 'names a definition that is not there' }]),
    ...destinationProblems(pointer('parameters', name, 'destination'), destination),
  ])
}

function credentialProblems({ credentials = {} }: CnabBundle): Problem[] {
  return Object.entries(credentials).flatMap(([name, credential]) =>
    destinationProblems(pointer('credentials', name), credential),
  )
}

function destinationProblems(at: string, to: { env?: string; path?: string }): Problem[] {
  const problems: Problem[] = []
  if (to.env === undefined && to.path === undefined) {
    problems.push({ path: at, why: 'names neither "env" nor "path"' })
  }
  if (to.env !== undefined && !envGrammar.test(to.env)) {
    problems.push({ path: `${at}/env`, why: 'cannot be the name of a variable' })
  }
  if (to.path !== undefined) {
    if (!isPath(to.path)) problems.push({ path: `${at}/path`, why: 'cannot be the path of a file' })
    else if (isWithin(outputsDirectory, to.path)) {
      problems.push({ path: `${at}/path`, why: `lies under ${outputsDirectory}, which is for outputs` })
    }
  }
  return problems
}

const isPath = (path: string): boolean =>
  path !== '' && path.length <= 4096 && !path.includes('\0') && rooted(path) !== '/'

function outputProblems({ outputs = {}, definitions = {} }: CnabBundle): Problem[] {
  const problems: Problem[] = []
  const taken = new Map<string, string>()
  for (const [name, { definition, path }] of Object.entries(outputs)) {
    const at = pointer('outputs', name)
    if (!Object.hasOwn(definitions, definition)) {
      problems.push({ path: `${at}/definition`, why: 'names a definition that is not there' })
    }
    // A path with "..", or with "." or empty parts, is refused and not normalised: readers would differ.
    const below = path.startsWith(`${outputsDirectory}/`) ? path.slice(outputsDirectory.length + 1) : ''
    const isPlain = below.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
    if (!isPath(path) || !isPlain) {
      problems.push({ path: `${at}/path`, why: `is not a path strictly below ${outputsDirectory}` })
      continue
    }
    for (const [other, owner] of taken) {
      if (other === path) problems.push({ path: `${at}/path`, why: `is that of the output ${owner} too` })
      else if (other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) {
        problems.push({ path: `${at}/path`, why: `and that of the output ${owner} lie one below the other` })
      }
    }
    taken.set(path, JSON.stringify(name))
  }
  return problems
}

function actionProblems({ actions = {} }: CnabBundle): Problem[] {
  return Object.keys(actions)
    .filter(
      (name) => (builtInActions as readonly string[]).includes(name) || name === '' || name.includes('\0'),
    )
    .map((name) => ({
      path: pointer('actions', name),
      why: name === '' || name.includes('\0') ? 'cannot be the name of an action' : 'is a built-in action',
    }))
}

function extensionProblems({ requiredExtensions = [] }: CnabBundle): Problem[] {
  const seen = new Set<string>()
  return requiredExtensions.flatMap((name, at) => {
    const path = pointer('requiredExtensions', at)
    if (name === '') return [{ path, why: 'is empty' }]
    if (seen.has(name)) return [{ path, why: 'is listed twice' }]
    seen.add(name)
    return []
  })
}
