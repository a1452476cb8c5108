export { type ChangingKeyring, keyringRefreshMs, watchedKeyring } from './changing-keyring.ts'
export { codes as storeCodes } from './codes.ts'
export { FileSecretStore, type FileStoreOptions, openFileStore } from './file-store.ts'
export { dropMasterKey, type Keyring, newKeyring, prepareKeyring, rotateKeyring } from './keyring.ts'
export { formatKeyring, type KeyringSecret, parseKeyring } from './keyring-file.ts'
export { MemorySecretStore } from './memory-store.ts'
export { connectPostgres, type Query, type Row } from './postgres-connection.ts'
export { openPostgresStore, type PostgresSecretStore, type PostgresStoreOptions } from './postgres-store.ts'
export {
  type ResealReport,
  reseal,
  revisionThere,
  type SealedStoreOptions,
  sealedStore,
} from './sealed-store.ts'
export { isKeyName, isKeyPrefix, keyNames } from './secret-key.ts'
export { openSqliteStore, type SqliteSecretStore, type SqliteStoreOptions } from './sqlite-store.ts'
