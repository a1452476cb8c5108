import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerServerLimits } from '#base/index.ts'
import { BrokerMetrics } from './broker-metrics.ts'

test('requests, their durations, refusals, limits and gauges', () => {
  const metrics = new BrokerMetrics()
  metrics.answered('guests', 'auth', 200, 0.4)
  metrics.answered('guests', 'auth', 200, 3)
  metrics.answered('guests', 'auth', 401, 20_000)
  metrics.answered('admins', 'policies', 200, 1)
  metrics.refused('BROKER_BUSY')
  metrics.limitHit('concurrent')
  metrics.inWork.guests = 2
  const text = metrics.text({ sessions: 3, released_total: 7, 'bad name\n': 1 })
  for (const line of [
    'sealift_broker_requests_total{listener="guests",call="auth",status="200"} 2',
    'sealift_broker_requests_total{listener="guests",call="auth",status="401"} 1',
    'sealift_broker_requests_total{listener="admins",call="policies",status="200"} 1',
    'sealift_broker_request_duration_seconds_bucket{listener="guests",call="auth",le="0.0005"} 1',
    'sealift_broker_request_duration_seconds_bucket{listener="guests",call="auth",le="0.005"} 2',
    'sealift_broker_request_duration_seconds_bucket{listener="guests",call="auth",le="10"} 2',
    'sealift_broker_request_duration_seconds_bucket{listener="guests",call="auth",le="+Inf"} 3',
    'sealift_broker_request_duration_seconds_count{listener="guests",call="auth"} 3',
    'sealift_broker_requests_in_work{listener="guests"} 2',
    'sealift_broker_refusals_total{code="BROKER_BUSY"} 1',
    'sealift_broker_limit_hits_total{limit="concurrent"} 1',
    '# TYPE sealift_broker_sessions gauge',
    'sealift_broker_sessions 3',
    '# TYPE sealift_broker_released_total counter',
    'sealift_broker_released_total 7',
  ]) {
    assert.ok(text.includes(`${line}\n`), line)
  }
  assert.doesNotMatch(text, /bad name/)
})

test('what others made up is one label', () => {
  const metrics = new BrokerMetrics({ ...brokerServerLimits, labels: 3 })
  for (const call of ['auth', 'Secret Of Mine', 'x"} 1\nevil 1', 'a', 'b', 'c', 'd', 'other']) {
    metrics.answered('guests', call, 200, 1)
  }
  for (const code of ['A', 'lower', 'B', 'C', 'D']) metrics.refused(code)
  const text = metrics.text()
  const calls = [...text.matchAll(/_requests_total\{listener="guests",call="([^"]*)"/g)].map(
    ([, call]) => call,
  )
  assert.deepEqual(calls, ['auth', 'other', 'a'])
  const codes = [...text.matchAll(/_refusals_total\{code="([^"]*)"\} (\d+)/g)].map(
    ([, code, count]) => code! + count,
  )
  assert.deepEqual(codes, ['A1', 'OTHER3', 'B1'])
  assert.doesNotMatch(text, /evil|Secret|lower/)
})
