// The keys of TEEs, and replies that only such a key opens.
export { decryptResponse } from './decrypt-response.ts'
export { encryptTo } from './encrypt-to.ts'
export { generateTeeKey, type TeeKeyKind, type TeeKeyPair } from './key-pair.ts'
export { parseTeeKey, type TeeCurve, type TeeKey, type TeeKeyOptions, versionOfKey } from './parse-tee-key.ts'
