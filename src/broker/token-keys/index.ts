export { tokenKeysAdministration } from './administration.ts'
export { codes as tokenKeyCodes } from './codes.ts'
export { openTokenKeys, type TokenKeysOptions } from './open-token-keys.ts'
export type { TokenKeys } from './types.ts'
