import { digestAlgorithm, digestOf, isDigest, isRepositoryName } from '#oci/index.ts'
import type { AccessDecision } from '../access.ts'
import { authorize, type Context, type Resource, recordUse, storeToWrite } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { promisedBytes } from '../receive-body.ts'
import { Refusal } from '../refusal.ts'
import { digestFrom, repositoryOf } from './parameters.ts'
import { created, finish, progress, receiveInto } from './upload.ts'

/** distribution-spec, Pushing blobs: where a push begins, is done in one request, or is not needed (a mount). */
export const uploads: Resource = {
  notFound: 'NAME_UNKNOWN',
  methods: {
    async POST(context, exchange) {
      const name = repositoryOf(exchange)
      const { query } = exchange
      await authorize(context, exchange, 'push', name)
      if (query.has('mount') && (await mount(context, exchange, name))) return
      if (query.has('digest') && (await pushWhole(context, exchange, name))) return
      checkAlgorithm(query.get('digest-algorithm'))
      const session = await context.sessions.begin(name, await storeToWrite(context, name))
      exchange.reply(202, progress(name, session.upload))
    },
  },
}

/** Mounting from any repository (`from` is missing) needs the right to pull from all. False: push it instead. */
async function mount(context: Context, exchange: Exchange, name: string): Promise<boolean> {
  const digest = exchange.query.get('mount')
  const from = exchange.query.get('from')
  if (!isDigest(digest) || (from !== null && !isRepositoryName(from))) return false
  const source = from ?? '*'
  let decision: AccessDecision
  try {
    decision = await authorize(context, exchange, 'pull', source)
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
  const store = await storeToWrite(context, name)
  // What is mounted can be read from here on.
  await recordUse(context, exchange, 'pull', { name: source, decision, digest })
  if (!(await store.mount(digest, from ?? undefined))) return false
  created(exchange, name, digest)
  return true
}

/** False where nothing came with the request: then it only begins a push. */
async function pushWhole(context: Context, exchange: Exchange, name: string): Promise<boolean> {
  const digest = digestFrom(exchange.query.get('digest'))
  const isEmpty = promisedBytes(exchange) === 0
  if (isEmpty && digest !== digestOf(new Uint8Array(0), digestAlgorithm(digest))) {
    return false
  }
  const session = await context.sessions.begin(name, await storeToWrite(context, name))
  try {
    await session.use(
      () => exchange.breakOff(),
      async (upload) => {
        await receiveInto(context, exchange, upload)
        await finish(context, session, digest)
      },
    )
  } catch (error) {
    // The client never learnt where the upload is: nobody can resume it.
    context.sessions.forget(session)
    await session.upload.cancel().catch(() => undefined)
    throw error
  }
  created(exchange, name, digest)
  return true
}

function checkAlgorithm(algorithm: string | null): void {
  if (algorithm === null || ['sha256', 'sha384', 'sha512'].includes(algorithm)) return
  throw new Refusal(400, 'DIGEST_INVALID', 'this digest algorithm is not supported', {
    detail: { supported: ['sha256', 'sha384', 'sha512'] },
  })
}
