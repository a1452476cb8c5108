import { clientCodes } from './client/index.ts'
import { serverCodes } from './server/index.ts'

export * from './client/index.ts'
export * from './server/index.ts'

/** Both halves' codes: the client's speak of other people's registries, the server's of ours. */
export const codes = { ...serverCodes, ...clientCodes }
