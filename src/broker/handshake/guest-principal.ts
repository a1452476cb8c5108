import type { RecordedPrincipal } from '#gate/index.ts'
import type { Caller, IdentityOf } from '../types.ts'
import { callerOf, type Guest } from './tokens.ts'

/** A guest as the audit log names it: by its identity, where its claims give one. */
export function guestPrincipal(identity: IdentityOf, guest: Guest | undefined): RecordedPrincipal {
  return callerPrincipal(identity, guest ? callerOf(guest) : { kind: 'anonymous' })
}

/** Whoever asks, as the audit log names them. */
export function callerPrincipal(identity: IdentityOf, caller: Caller): RecordedPrincipal {
  if (caller.kind === 'admin') {
    const { kind, name, groups } = caller.principal
    return { kind, name, ...(groups && { groups }) }
  }
  return { kind: caller.kind, name: identity(caller) ?? '' }
}
