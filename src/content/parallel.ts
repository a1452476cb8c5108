/**
 * Runs `act` over `items` in order of the list, at most `concurrency` at once, and returns the results in that
 * order. After the first failure no further item begins; the failure is thrown once those under way have ended.
 */
export async function parallel<T, R>(
  items: readonly T[],
  concurrency: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  const failures: unknown[] = []
  let next = 0
  async function worker(): Promise<void> {
    while (next < items.length && failures.length === 0) {
      const at = next++
      try {
        results[at] = await act(items[at] as T)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(Math.max(1, concurrency), items.length) }, worker))
  if (failures.length > 0) throw failures[0]
  return results
}
