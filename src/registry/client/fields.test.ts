// The small parsers of header fields: ranges, links, Retry-After, response heads.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bodyLength, parseResponseHead } from './http/response-head.ts'
import { nextLink } from './link.ts'
import { isRetryable, retryAfterMs } from './pace.ts'
import { parseContentRange, parseUploadRange } from './ranges.ts'

test('a Content-Range is read back as it was written, and nothing else is taken for one', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.option(fc.nat()), (first, length, after) => {
      const total = after === null ? undefined : first + length + 1 + after
      const text = `bytes ${first}-${first + length}/${total ?? '*'}`
      assert.deepEqual(parseContentRange(text), { first, last: first + length, total })
    }),
  )
  for (const text of [
    undefined,
    '',
    'bytes 5-4/10',
    'bytes 0-10/10',
    'bytes */10',
    'items 0-1/2',
    'bytes 0-1',
    'bytes -1-2/3',
  ]) {
    assert.equal(parseContentRange(text), undefined, String(text))
  }
})

test('an upload range tells how many bytes have arrived', () => {
  assert.equal(parseUploadRange('0-1023'), 1024)
  assert.equal(parseUploadRange('bytes=0-1023'), 1024)
  assert.equal(parseUploadRange('0-0'), 0)
  for (const text of [undefined, '', '1-5', '0-', '0--1', '0-99999999999999999']) {
    assert.equal(parseUploadRange(text), undefined, String(text))
  }
})

test('the next page is the first link that says so', () => {
  assert.equal(nextLink('</v2/_catalog?last=b&n=2>; rel="next"'), '/v2/_catalog?last=b&n=2')
  assert.equal(nextLink('<a>; rel=prev, <b;c,d>; title="x, y"; rel="last next"'), 'b;c,d')
  assert.equal(nextLink('<a>;rel="prev";rel="next"'), undefined)
  for (const text of ['', 'a', '<a', '<a>', '<a>; rel=prev', '<a>; rel="next'])
    assert.equal(nextLink(text), undefined, text)
})

test('a link survives being written, and no text breaks the parser', () => {
  fc.assert(
    fc.property(fc.webPath(), fc.stringMatching(/^[a-z]{1,8}$/), (path, title) => {
      assert.equal(nextLink(`<x>; rel=first, <${path}>; title="${title}"; rel="next"`), path)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => void nextLink(text)))
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('<', '>', ';', ',', '"', '=', 'rel', 'next', ' ')),
      (parts) => void nextLink(parts.join('')),
    ),
  )
})

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-03-01T12:00:00Z')
  assert.equal(retryAfterMs('7', now), 7000)
  assert.equal(retryAfterMs('Sun, 01 Mar 2026 12:00:30 GMT', now), 30_000)
  assert.equal(retryAfterMs('Sun, 01 Mar 2026 11:00:00 GMT', now), 0)
  for (const text of [undefined, '', '-1', '1.5', 'soon', 'Sometime', '2026']) {
    if (text === '2026') assert.equal(retryAfterMs(text, now), 2_026_000)
    else assert.equal(retryAfterMs(text, now), undefined, String(text))
  }
  assert.deepEqual(
    [200, 404, 408, 429, 500, 501, 502, 503, 504].filter(isRetryable),
    [408, 429, 500, 502, 503, 504],
  )
})

test('the head of an answer is read strictly', () => {
  const head = parseResponseHead('HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:2 ')
  assert.equal(head.status, 206)
  assert.equal(head.keepAlive, true)
  assert.deepEqual({ ...head.headers }, { 'content-length': '5', 'x-a': ['1', '2'] })
  assert.equal(bodyLength(head), 5)
  assert.equal(parseResponseHead('HTTP/1.0 200 OK').keepAlive, false)
  assert.equal(parseResponseHead('HTTP/1.1 200 OK\r\nConnection: Close').keepAlive, false)
  assert.equal(bodyLength(parseResponseHead('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked')), undefined)
  for (const text of [
    '',
    'HTTP/2 200',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 200 OK\r\n folded: 1',
    'HTTP/1.1 200 OK\r\na b: 1',
    'HTTP/1.1 200 OK\r\na : 1',
    'HTTP/1.1 200 OK\r\na: 1\nb: 2',
  ]) {
    assert.throws(() => parseResponseHead(text), { code: 'REGISTRY_ANSWER_INVALID' }, text)
  }
  for (const fields of [
    'content-length: 5\r\ncontent-length: 5',
    'content-length: -5',
    'content-length: 5, 5',
    'content-length: 0x5',
  ]) {
    assert.throws(() => bodyLength(parseResponseHead(`HTTP/1.1 200 OK\r\n${fields}`)), {
      code: 'REGISTRY_ANSWER_INVALID',
    })
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        bodyLength(parseResponseHead(`HTTP/1.1 200 OK\r\n${text}`))
      } catch (error) {
        assert.equal((error as { code: string }).code, 'REGISTRY_ANSWER_INVALID')
      }
    }),
  )
})
