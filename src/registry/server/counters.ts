/** What `/metrics` tells (Prometheus text format 0.0.4). No repository, tag or user is in it. */
export class Counters {
  readonly #requests = new Map<string, { count: number; seconds: number }>()
  receivedBytes = 0
  sentBytes = 0
  damagedContents = 0
  refusedLogins = 0
  brokenReplies = 0

  request(method: string, route: string, status: number, durationMs: number): void {
    const key = `method="${method}",route="${route}",status="${status}"`
    const entry = this.#requests.get(key)
    if (entry) {
      entry.count++
      entry.seconds += durationMs / 1000
    } else {
      this.#requests.set(key, { count: 1, seconds: durationMs / 1000 })
    }
  }

  text(gauges: Readonly<Record<string, readonly [help: string, value: number]>>): string {
    const requests = [...this.#requests]
    const counters: Readonly<Record<string, readonly [help: string, value: number]>> = {
      received_bytes_total: ['Bytes of request bodies.', this.receivedBytes],
      sent_bytes_total: ['Bytes of reply bodies.', this.sentBytes],
      damaged_contents_total: ['Stored contents found damaged.', this.damagedContents],
      refused_logins_total: ['Requests with a wrong user name or password.', this.refusedLogins],
      broken_replies_total: ['Replies that did not reach their end.', this.brokenReplies],
    }
    return [
      metric(
        'requests_total',
        'counter',
        'Requests answered.',
        requests.map(([key, { count }]) => [`{${key}}`, count]),
      ),
      metric(
        'request_seconds_total',
        'counter',
        'Time spent on them.',
        requests.map(([key, { seconds }]) => [`{${key}}`, seconds]),
      ),
      ...Object.entries(counters).map(([name, [help, value]]) =>
        metric(name, 'counter', help, [['', value]]),
      ),
      ...Object.entries(gauges).map(([name, [help, value]]) => metric(name, 'gauge', help, [['', value]])),
    ].join('')
  }
}

function metric(
  name: string,
  type: string,
  help: string,
  samples: readonly (readonly [string, number])[],
): string {
  const whole = `sealift_registry_${name}`
  const lines = samples.map(([labels, value]) => `${whole}${labels} ${value}\n`).join('')
  return `# HELP ${whole} ${help}\n# TYPE ${whole} ${type}\n${lines}`
}
