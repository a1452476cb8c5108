import { BlockList, isIP } from 'node:net'
import { failure } from '../codes.ts'
import { hostName, isLoopback } from '../hosts.ts'

/** The proxy (its URL) through which to reach a URL, or undefined for a direct connection. */
export type ProxyOf = (url: URL) => string | undefined

/**
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in upper or lower case (lower case first, as curl does), with the meaning
 * that Go's programs give them: NO_PROXY lists names (with all below them), `.suffixes`, addresses, CIDR ranges, each
 * with an optional port, or `*`. Loopback is never reached through a proxy.
 *
 * @throws PROXY_INVALID (not before a proxy is needed)
 */
export function environmentProxies(env: Readonly<Record<string, string | undefined>>): ProxyOf {
  const value = (name: string) => env[name.toLowerCase()] || env[name] || undefined
  const exempt = exemptions(value('NO_PROXY') ?? '')
  return (url) => {
    const proxy = value(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY')
    if (proxy === undefined || isLoopback(url.host) || exempt(url)) return undefined
    return checkProxy(proxy)
  }
}

function checkProxy(text: string): string {
  const url = URL.parse(/^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`)
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    // The text may hold a password: it is not repeated.
    throw failure('PROXY_INVALID', 'the proxy that the environment names is not an http or https URL')
  }
  return url.href
}

function exemptions(list: string): (url: URL) => boolean {
  const rules = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(rule)
  return (url) => {
    const name = hostName(url.host).toLowerCase()
    const port = url.port || (url.protocol === 'https:' ? '443' : '80')
    return rules.some((matches) => matches(name, port))
  }
}

function rule(entry: string): (name: string, port: string) => boolean {
  if (entry === '*') return () => true
  const range = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(entry)
  if (range && isIP(range[1]!) !== 0) {
    const family = isIP(range[1]!) === 4 ? 'ipv4' : 'ipv6'
    const block = new BlockList()
    try {
      block.addSubnet(range[1]!, Number(range[2]), family)
    } catch {
      return () => false
    }
    return (name) => isIP(name) !== 0 && block.check(name, isIP(name) === 4 ? 'ipv4' : 'ipv6')
  }
  const whole = isIP(entry) === 6 ? `[${entry}]` : entry
  const port = /:(\d+)$/.exec(whole)?.[1]
  const bare = hostName(whole)
    .toLowerCase()
    .replace(/^\*?\./, '.')
  return (name, actualPort) => {
    if (port !== undefined && port !== actualPort) return false
    // A leading dot means what is below the name, and not the name itself (golang.org/x/net/http/httpproxy).
    return bare.startsWith('.') ? name.endsWith(bare) : name === bare || name.endsWith(`.${bare}`)
  }
}
