import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isLoopback } from '../hosts.ts'
import { environmentProxies } from './proxies.ts'

const proxy = 'http://proxy.example:3128/'

test('the environment names a proxy per scheme, and loopback never uses one', () => {
  const of = environmentProxies({ HTTPS_PROXY: proxy, http_proxy: 'other.example', HTTP_PROXY: 'unused' })
  assert.equal(of(new URL('https://registry.example/')), proxy)
  assert.equal(of(new URL('http://registry.example/')), 'http://other.example/')
  for (const host of ['127.0.0.1:5000', 'localhost', '[::1]:443', '127.9.9.9']) {
    assert.equal(of(new URL(`https://${host}/`)), undefined, host)
  }
  assert.equal(environmentProxies({})(new URL('https://registry.example/')), undefined)
})

test('NO_PROXY names hosts, suffixes, addresses, ranges and ports', () => {
  const of = environmentProxies({
    HTTPS_PROXY: proxy,
    NO_PROXY: 'a.example, .b.example,10.0.0.0/8 192.168.1.1,c.example:5000,*.d.example,fd00::/8,1.2.3.4/99',
  })
  const direct = [
    'a.example',
    'x.a.example',
    'x.b.example',
    '10.1.2.3:5000',
    '192.168.1.1',
    'c.example:5000',
    'x.d.example',
    '[fd00::1]:5000',
  ]
  const proxied = [
    'b.example',
    'aa.example',
    '11.1.2.3',
    '192.168.1.2',
    'c.example',
    'a.example.com',
    '[fe00::1]',
    '1.2.3.4',
  ]
  for (const host of direct) assert.equal(of(new URL(`https://${host}/`)), undefined, host)
  for (const host of proxied) assert.equal(of(new URL(`https://${host}/`)), proxy, host)
  assert.equal(
    environmentProxies({ HTTPS_PROXY: proxy, no_proxy: '*' })(new URL('https://x.example')),
    undefined,
  )
})

test('a proxy that is none is a failure without what it may hide', () => {
  for (const text of ['ftp://user:secret@proxy', 'http://', 'socks5://user:secret@proxy:1']) {
    assert.throws(
      () => environmentProxies({ HTTPS_PROXY: text })(new URL('https://registry.example/')),
      (error: Error & { code: string }) => error.code === 'PROXY_INVALID' && !/secret/.test(error.message),
    )
  }
  fc.assert(
    fc.property(
      fc.string(),
      (list) => void environmentProxies({ HTTPS_PROXY: proxy, NO_PROXY: list })(new URL('https://x.example')),
    ),
  )
})

test('loopback is told by the name alone', () => {
  for (const host of [
    '127.0.0.1',
    '127.255.0.1:80',
    'localhost:5000',
    'x.localhost',
    '[::1]',
    '[::1]:80',
    '[0:0:0:0:0:0:0:1]',
    'LOCALHOST',
  ]) {
    assert.equal(isLoopback(host), true, host)
  }
  for (const host of [
    '128.0.0.1',
    '0.0.0.0',
    'localhost.example',
    '127.0.0.1.example',
    '[::2]:80',
    '10.0.0.1',
    '127.1',
  ]) {
    assert.equal(isLoopback(host), false, host)
  }
})
