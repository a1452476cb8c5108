export { codes as resourceCodes } from './codes.ts'
export {
  checkResourceConfiguration,
  parseResourceConfiguration,
  resourceConfigurationSchema,
} from './configuration.ts'
export { type OpenStores, type OpenStoresOptions, openPlace, openStores } from './open-stores.ts'
export type { RolesOf } from './permission.ts'
export { problems as resourceProblems } from './problems.ts'
export {
  type Resolved,
  type ResourcePlugin,
  type ResourcePluginOptions,
  resourcePlugin,
} from './resource-plugin.ts'
export type * from './types.ts'
