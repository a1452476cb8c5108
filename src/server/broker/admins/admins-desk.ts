import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '#access/index.ts'
import type { BrokerFace } from '#broker/index.ts'
import { failure } from '../../codes.ts'
import type { Desk } from '../front.ts'
import type { PeerRates } from '../peer-rates.ts'
import type { AuthenticateAdmin } from './authenticate-admin.ts'

/** Admins: nothing of a request is looked at before its sender is known, and few wrong proofs are looked at. */
export const adminsDesk = (
  face: Pick<BrokerFace, 'admin'>,
  authenticate: AuthenticateAdmin,
  failures: PeerRates,
): Desk<Principal> => ({
  listener: 'admins',
  ways: [
    { prefix: '/kbs/v0/', api: 'kbs' },
    { prefix: '/admin/v1/', api: 'admin' },
  ],
  async identify({ headers }, connection) {
    // Taken first and given back, so that many attempts at once count too.
    const seconds = failures.take(connection.peer)
    if (seconds > 0) {
      const message = 'the peer failed to prove who it is too often'
      throw failure('BROKER_LOGINS_EXCEEDED', message, { detail: { seconds } })
    }
    if (headers.authorization === undefined && isOfAPage(headers))
      throw failure('BROKER_ADMIN_UNKNOWN', 'a web page asks, with a certificate that is not its own')
    const principal = await authenticate(headers.authorization, connection)
    failures.giveBack(connection.peer)
    return principal
  },
  answer: (principal, api, request, signal) => face.admin({ ...request, principal, api }, signal),
})

/**
 * Whether a browser says that a page asks (the Fetch standard, section 3.2; Fetch Metadata, section 2.4). It shows the
 * certificate of whoever sits before it for every page; a token it does not have.
 */
const isOfAPage = ({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean =>
  origin !== undefined || (site !== undefined && site !== 'none')
