import type { BrokerFace, GuestRequest } from '#broker/index.ts'
import type { Desk, Way } from './front.ts'
import { bearerOf, sessionOf } from './session-cookie.ts'

type Proofs = Pick<GuestRequest, 'sessionId' | 'bearer' | 'certificate'>

const ways: readonly Way[] = [
  { prefix: '/kbs/v0/', api: 'kbs' },
  // Where other services look for the keys of tokens.
  { prefix: '/.well-known/jwks.json', api: 'kbs', names: ['token-keys'] },
]

/** Guests: whatever proofs they bring go to the broker as they are. */
export const guestsDesk = (face: Pick<BrokerFace, 'guest'>): Desk<Proofs> => ({
  listener: 'guests',
  ways,
  identify({ headers }, { certificate }) {
    const sessionId = sessionOf(headers.cookie)
    const bearer = bearerOf(headers.authorization)
    return {
      ...(sessionId !== undefined && { sessionId }),
      ...(bearer !== undefined && { bearer }),
      ...(certificate && { certificate: certificate.raw }),
    }
  },
  answer: (proofs, _, request, signal) => face.guest({ ...request, ...proofs }, signal),
})
