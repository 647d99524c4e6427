/**
 * What a program is answered while its session is still being opened: it was started already, since what it loads is what the
 * session begins with, and it waits for its first token. How its session stands it hears at once.
 */
import type { WatchedSession } from '../session/watched-session.ts'
import type { EndpointClient } from './local-endpoint.ts'

/** Rejects whoever waits with what `opening` rejects with. */
export function openingClient(opening: Promise<WatchedSession>): EndpointClient {
  let opened: WatchedSession | undefined
  const whenOpened = opening.then((session) => {
    opened = session
    return session
  })
  // Whoever asks hears of it; nobody has to.
  whenOpened.catch(() => {})
  return {
    tokens: async () => await (await whenOpened).tokens(),
    headersFor: async (request) => await (await whenOpened).headersFor(request),
    release: async (resource, request) => await (await whenOpened).release(resource, request),
    openLease(released) {
      // What was released came through a session that is open.
      if (!opened) throw new Error('nothing was released yet')
      return opened.openLease(released)
    },
    latest: () => opened?.latest(),
    get collector() {
      return opened?.collector
    },
  }
}
