import semver from 'semver'
import type { Json } from '#base/index.ts'
import { bare, type Problem, pointer, shapeProblems, tell } from '#base/shape/index.ts'
import { isObject, isRegistryHost, isRepositoryName } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { nearest } from './nearest.ts'
import { type Project, projectSchema } from './schema.ts'

/**
 * Checks a project file. What is unknown is refused with its place and the nearest name that is known there.
 *
 * @throws PROJECT_INVALID with `detail.problems`
 */
export function parseProject(value: Json): Project {
  if (!isObject(value)) throw invalid([{ path: '', why: 'is not a map' }])
  const misshapen = shapeProblems(projectSchema, bare(value)).map((problem) => withHint(problem))
  if (misshapen.length > 0) throw invalid(misshapen)
  const project = value as unknown as Project
  const problems = ruleProblems(project)
  if (problems.length > 0) throw invalid(problems)
  return project
}

function ruleProblems(project: Project): Problem[] {
  const problems: Problem[] = []
  if (semver.valid(project.version) !== project.version.replace(/\+.*$/, '')) {
    problems.push({ path: '/version', why: 'is not a semantic version, such as 1.2.3' })
  }
  if (project.registry !== undefined && !isPlace(project.registry)) {
    problems.push({ path: '/registry', why: 'is not REGISTRY/PREFIX' })
  }
  const { images = {}, vmImages = {}, files = {}, charts = {} } = project
  const either = (path: string, entry: object, a: string, b: string) => {
    if (Object.hasOwn(entry, a) === Object.hasOwn(entry, b)) {
      problems.push({ path, why: `needs exactly one of "${a}" and "${b}"` })
    }
  }
  either('/invocationImage', project.invocationImage, 'image', 'build')
  for (const [name, image] of Object.entries(images)) either(pointer('images', name), image, 'image', 'build')
  const groups = { vmImages, files, charts }
  const taken = new Map(Object.keys(images).map((name) => [name, 'images']))
  for (const [group, entries] of Object.entries(groups)) {
    for (const [name, entry] of Object.entries(entries)) {
      either(pointer(group, name), entry, 'path', 'image')
      const other = taken.get(name)
      // All of them go into the one `images` of the bundle.
      if (other) problems.push({ path: pointer(group, name), why: `is a name that ${other} has too` })
      taken.set(name, group)
    }
  }
  for (const group of ['parameters', 'outputs'] as const) {
    for (const [name, entry] of Object.entries(project[group] ?? {})) {
      either(pointer(group, name), entry, 'definition', 'schema')
      if ('schema' in entry && Object.hasOwn(project.definitions ?? {}, name)) {
        problems.push({ path: pointer(group, name, 'schema'), why: 'has the name of a definition' })
      }
    }
  }
  for (const name of Object.keys(project.parameters ?? {})) {
    if (project.parameters?.[name]?.schema !== undefined && project.outputs?.[name]?.schema !== undefined) {
      problems.push({
        path: pointer('outputs', name, 'schema'),
        why: 'has the name of a parameter with a schema',
      })
    }
  }
  return problems
}

function isPlace(text: string): boolean {
  const [host = '', ...path] = text.split('/')
  return isRegistryHost(host) && (path.length === 0 || isRepositoryName(path.join('/')))
}

function withHint({ path, why }: Problem): Problem {
  if (why !== 'is not known here') return { path, why }
  const known = keysAt(path.split('/').slice(1, -1))
  const near = nearest(path.slice(path.lastIndexOf('/') + 1), known)
  return { path, why: near ? `${why}; did you mean "${near}"?` : `${why}; known are ${known.join(', ')}` }
}

/** The names that the schema knows at a place. */
function keysAt(parts: readonly string[]): string[] {
  let at: unknown = projectSchema
  for (const part of parts) {
    const { properties, items, patternProperties } = at as {
      properties?: Record<string, unknown>
      items?: unknown
      patternProperties?: Record<string, unknown>
    }
    at = properties?.[part] ?? items ?? Object.values(patternProperties ?? {})[0] ?? {}
  }
  return Object.keys((at as { properties?: object }).properties ?? {})
}

function invalid(problems: readonly Problem[]) {
  return failure('PROJECT_INVALID', `the project file is not valid: ${tell(problems)}`, {
    detail: { problems },
  })
}
