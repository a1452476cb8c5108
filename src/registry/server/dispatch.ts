import type { Context, Resource } from './context.ts'
import type { Exchange } from './exchange.ts'
import { Refusal } from './refusal.ts'
import { base } from './resources/base.ts'
import { blob } from './resources/blob.ts'
import { catalog } from './resources/catalog.ts'
import { health } from './resources/health.ts'
import { manifest } from './resources/manifest.ts'
import { metrics } from './resources/metrics.ts'
import { referrers } from './resources/referrers.ts'
import { tags } from './resources/tags.ts'
import { upload } from './resources/upload.ts'
import { uploads } from './resources/uploads.ts'
import type { Route } from './route.ts'

const resources: Readonly<Partial<Record<Route['resource'], Resource>>> = {
  health,
  metrics,
  base,
  catalog,
  tags,
  referrers,
  manifest,
  blob,
  uploads,
  upload,
}

/** The resource of a route. @throws Refusal 404, or 400 for a malformed repository */
export function resourceOf(route: Route): Resource {
  const resource = resources[route.resource]
  if (resource) return resource
  if (route.resource === 'badName') {
    throw new Refusal(
      400,
      'NAME_INVALID',
      'a repository is lower-case words between slashes, 255 characters at most',
    )
  }
  throw new Refusal(404, 'UNSUPPORTED', 'there is nothing at this address')
}

/** Runs the method. HEAD is GET without its body. @throws Refusal 405 where the resource lacks it */
export async function dispatch(context: Context, exchange: Exchange, resource: Resource): Promise<void> {
  const { methods } = resource
  const operation = methods[exchange.method === 'HEAD' ? 'GET' : exchange.method]
  if (operation) return await operation(context, exchange)
  const allowed = Object.keys(methods)
  if (methods.GET) allowed.push('HEAD')
  throw new Refusal(405, 'UNSUPPORTED', `${exchange.method} is not a method of this address`, {
    headers: { Allow: allowed.join(', ') },
  })
}
