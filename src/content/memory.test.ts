import { MemoryRepositories } from './memory.ts'
import { storeTests } from './store.suite.ts'

storeTests('memory', async () => ({
  repositories: new MemoryRepositories(),
  async [Symbol.asyncDispose]() {},
}))
