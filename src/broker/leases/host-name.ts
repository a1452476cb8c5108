import { leaseLimits } from '#base/index.ts'

const label = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/

/** Whether a host can have this name: labels of letters, digits, `-` and `_`, with dots between them. */
export const isHostName = (name: string, length: number = leaseLimits.nameLength): boolean =>
  name.length <= length && name.split('.').every((part) => label.test(part))
