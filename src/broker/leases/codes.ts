import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  NETWORK_INVALID: {
    meaning: 'A text is not an IP address with a prefix length, or names an address that cannot be used.',
    remedy: 'Write ADDRESS/BITS, as 10.1.2.3/16 or fd00::1/64, without a zone.',
  },
  POOL_INVALID: {
    meaning: 'A pool of addresses is empty, names none of its own, or has too many exclusions.',
    remedy: 'Check the range of the pool and what it excludes.',
  },
  LEASE_REQUEST_INVALID: {
    meaning: 'A lease was asked for with a name, holder, address or time that cannot be.',
    remedy:
      'A name has labels of letters, digits, - and _, with dots between them; an address lies in its pool.',
  },
  LEASE_NAME_TAKEN: {
    meaning: 'Another holder has this name until its lease ends.',
    remedy: 'Ask for another name, or wait until the lease ends; an admin can revoke it.',
  },
  LEASE_ADDRESS_TAKEN: {
    meaning: 'Another holder, or another name, has this address until its lease ends.',
    remedy: 'Ask without an address and take the one that is given, or wait until the lease ends.',
  },
  LEASE_ADDRESS_DIFFERS: {
    meaning: 'The holder of this name has it with another address.',
    remedy: 'Ask for the address that it has, or release the lease first.',
  },
  LEASE_POOL_EXHAUSTED: {
    meaning: 'No free address was found in the pool.',
    remedy: 'Make the pool larger, or release and revoke leases that are not needed.',
  },
  LEASE_HOLDER_REVOKED: {
    meaning: 'The holder was revoked: it gets no leases until that is taken back.',
    remedy: 'Have an admin look at why, and reinstate the holder if that was wrong.',
  },
  LEASE_NOT_FOUND: {
    meaning: 'There is no such lease, or it is not held by whoever asks.',
    remedy: 'Ask for a lease first.',
  },
  LEASE_BUSY: {
    meaning: 'Others changed the same leases at the same time, again and again.',
    remedy: 'Ask again.',
  },
  LEASE_RECORD_INVALID: {
    meaning: 'What the store holds for a lease cannot be read.',
    remedy: 'The store was changed by something else; restore it, or remove the entry that is named.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
