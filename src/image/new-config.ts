import type { Json } from '#base/index.ts'
import { type Digest, isObject, type Platform } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { ImageConfig } from './image-config.ts'
import type { ExecutionSpec } from './spec.ts'

/** What a new layer leaves in the config. */
export interface NewLayer {
  readonly diffId: Digest
  readonly comment?: string | undefined
}

type Members = { [key: string]: Json }

/**
 * The config of the image to be (image-spec config.md): that of the base, with what it does not know here kept,
 * plus the layers and whatever the spec says about execution.
 *
 * @param created RFC 3339
 * @throws IMAGE_SPEC_INVALID
 */
export function newConfig(
  base: ImageConfig | undefined,
  platform: Platform,
  spec: ExecutionSpec,
  layers: readonly NewLayer[],
  created: string,
): Members {
  const history = layers.map(({ comment }) => ({
    created,
    created_by: 'sealift',
    ...(comment && { comment }),
  }))
  const old = base?.json ?? {}
  const oldHistory = Array.isArray(old.history) ? old.history : []
  // A base without history has layers that no entry stands for; ours alone would be taken for theirs.
  const countable = base === undefined || oldHistory.length > 0 || base.diffIds.length === 0
  return {
    ...old,
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant !== undefined && { variant: platform.variant }),
    created,
    config: execution(isObject(old.config) ? old.config : {}, spec),
    rootfs: { type: 'layers', diff_ids: [...(base?.diffIds ?? []), ...layers.map(({ diffId }) => diffId)] },
    ...(countable && { history: [...oldHistory, ...history] }),
  }
}

function execution(old: Members, spec: ExecutionSpec): Members {
  const { entrypoint, cmd, env, workingDir, user, labels, exposedPorts, volumes, stopSignal } = spec
  if (workingDir !== undefined && !workingDir.startsWith('/')) {
    throw failure('IMAGE_SPEC_INVALID', `the working directory ${workingDir} is not an absolute path`)
  }
  const result: Members = { ...old }
  if (entrypoint) {
    result.Entrypoint = [...entrypoint]
    // The base's arguments were meant for the base's entrypoint.
    delete result.Cmd
  }
  if (cmd) result.Cmd = [...cmd]
  if (env) result.Env = environment(old.Env, env)
  if (workingDir !== undefined) result.WorkingDir = workingDir
  if (user !== undefined) result.User = user
  if (labels) result.Labels = { ...(isObject(old.Labels) ? old.Labels : {}), ...labels }
  if (exposedPorts) result.ExposedPorts = { ...asSet(old.ExposedPorts), ...named(exposedPorts.map(port)) }
  if (volumes) result.Volumes = { ...asSet(old.Volumes), ...named(volumes) }
  if (stopSignal !== undefined) result.StopSignal = stopSignal
  for (const text of texts(result)) {
    if (text.includes('\0')) throw failure('IMAGE_SPEC_INVALID', 'a text in the config holds a NUL')
  }
  return result
}

/** Names keep the base's order, and new ones come after it in theirs. */
function environment(old: Json | undefined, added: Readonly<Record<string, string>>): Json[] {
  const variables = new Map<string, string>()
  for (const entry of Array.isArray(old) ? old : []) {
    const [name = '', ...rest] = String(entry).split('=')
    variables.set(name, rest.join('='))
  }
  for (const [name, value] of Object.entries(added)) {
    if (name === '' || name.includes('=')) {
      throw failure('IMAGE_SPEC_INVALID', `${JSON.stringify(name)} is not a name of an environment variable`)
    }
    variables.set(name, value)
  }
  return [...variables].map(([name, value]) => `${name}=${value}`)
}

function port(text: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text)
  if (!match || Number(match[1]) > 65535) throw failure('IMAGE_SPEC_INVALID', `${text} is not a port`)
  return `${match[1]}/${match[2] ?? 'tcp'}`
}

const asSet = (value: Json | undefined): Members => (isObject(value) ? value : {})
const named = (names: readonly string[]): Members => Object.fromEntries(names.map((name) => [name, {}]))

function* texts(value: Json): Generator<string> {
  if (typeof value === 'string') yield value
  else if (Array.isArray(value)) for (const item of value) yield* texts(item)
  else if (isObject(value)) for (const [key, item] of Object.entries(value)) yield* [key, ...texts(item)]
}
