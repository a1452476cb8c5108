/** Counts what the server does, and says it in Prometheus' text format 0.0.4. */
export class Metrics {
  readonly #requests = new Map<string, number>()
  bytesIn = 0
  bytesOut = 0
  inFlight = 0

  request(resource: string, method: string, status: number): void {
    const key = `resource="${resource}",method="${method}",status="${status}"`
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
  }

  format(damagedCount: number): string {
    const lines = ['# TYPE sealift_registry_requests_total counter']
    for (const [labels, count] of this.#requests)
      lines.push(`sealift_registry_requests_total{${labels}} ${count}`)
    const single = (name: string, type: string, value: number) =>
      lines.push(`# TYPE sealift_registry_${name} ${type}`, `sealift_registry_${name} ${value}`)
    single('received_bytes_total', 'counter', this.bytesIn)
    single('sent_bytes_total', 'counter', this.bytesOut)
    single('requests_in_flight', 'gauge', this.inFlight)
    single('damaged_contents', 'gauge', damagedCount)
    return `${lines.join('\n')}\n`
  }
}
