import type { Repository, Store } from './types.ts'

/** Whether a repository can be written to. */
export const isStore = (repository: Repository): repository is Store => 'beginUpload' in repository
