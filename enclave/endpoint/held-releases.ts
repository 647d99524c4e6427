/**
 * What was released to programs that ask over the socket? The endpoint renews each lease for as long as it may be used, and tells
 * when it ended. The secret itself went out with the answer and is not kept here.
 */
import type { AttestedClient } from '../client/attested-client.ts'
import { type Lease, LeaseEnded } from '../client/lease.ts'
import type { ReleasedSecret } from '../client/released-secret.ts'
import type { ReleaseRequest } from '../client/releases.ts'
import { WrongQuestion } from './endpoint-problem.ts'

export interface HeldReleases {
  /** `use` gets the secret, which is overwritten after it returned. Throws as `release` does, and WrongQuestion. */
  readonly release: <T>(
    resource: string,
    request: ReleaseRequest,
    use: (released: ReleasedSecret) => T,
  ) => Promise<T>
  /** Resolves when it ended, or after `waitMs`. Undefined: it never was, or is forgotten. */
  readonly standing: (release: string, waitMs: number) => Promise<ReleaseStanding | undefined>
  /** False: there is none. */
  readonly close: (release: string) => boolean
}

export interface ReleaseStanding {
  readonly resource: string
  readonly version: number
  /** `held`: it may be used. */
  readonly state: 'held' | LeaseEnded['end']
  /** Empty while it is held. */
  readonly detail: string
}

interface Held {
  readonly released: Pick<ReleasedSecret, 'resource' | 'version'>
  readonly lease: Lease
}

/** Ended ones are remembered until their places are needed. */
const MOST = 256

export function heldReleases(client: Pick<AttestedClient, 'release' | 'openLease'>): HeldReleases {
  const held = new Map<string, Held>()
  const makeRoom = () => {
    for (const [id, { lease }] of held) {
      if (held.size < MOST) return
      if (lease.signal.aborted) held.delete(id)
    }
    if (held.size >= MOST)
      throw new WrongQuestion(429, 'too-many-releases', {
        detail: `${MOST} releases are held at once`,
        next: 'Close those that are not used any more: DELETE /v1/releases/{id}.',
      })
  }
  return {
    async release(resource, request, use) {
      makeRoom()
      const released = await client.release(resource, request)
      try {
        const answer = use(released)
        held.set(released.release, { released, lease: client.openLease(released) })
        return answer
      } finally {
        released.wipe()
      }
    },
    async standing(release, waitMs) {
      const found = held.get(release)
      if (!found) return undefined
      const { signal } = found.lease
      if (waitMs > 0 && !signal.aborted) await firedWithin(signal, waitMs)
      const { resource, version } = found.released
      const { reason } = signal
      if (!signal.aborted) return { resource, version, state: 'held', detail: '' }
      const isTold = reason instanceof LeaseEnded
      return {
        ...{ resource, version },
        state: isTold ? reason.end : 'lapsed',
        detail: isTold ? reason.message : '',
      }
    },
    close(release) {
      const found = held.get(release)
      found?.lease.close()
      return held.delete(release)
    },
  }
}

async function firedWithin(signal: AbortSignal, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    timer.unref()
    signal.addEventListener('abort', done)
  })
}
