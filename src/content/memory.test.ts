import { MemoryRepositories, MemoryStore } from './memory.ts'
import { storeTests } from './store.suite.ts'
import { targetTests } from './target.suite.ts'

targetTests('memory', async () => {
  const target = new MemoryStore()
  return { target, read: async () => target, async [Symbol.asyncDispose]() {} }
})

storeTests('memory', async () => ({
  repositories: new MemoryRepositories(),
  async [Symbol.asyncDispose]() {},
}))
