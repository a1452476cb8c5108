export { codes as sessionCodes } from './codes.ts'
export { MemorySessions, type MemorySessionsOptions } from './memory-sessions.ts'
export {
  openPostgresSessions,
  PostgresSessions,
  type PostgresSessionsOptions,
} from './postgres-sessions.ts'
export type { Session, SessionStore } from './types.ts'
