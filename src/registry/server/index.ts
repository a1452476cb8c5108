export type { Access, AccessAnswer, AccessRequest, Verb } from './access.ts'
export { codes as serverCodes } from './codes.ts'
export { type PasswordFile, parseHtpasswd } from './htpasswd.ts'
export { type ServerLimits, serverLimits } from './limits.ts'
export {
  createRegistryServer,
  type RegistryServer,
  type RegistryServerOptions,
  type RequestEvent,
} from './server.ts'
