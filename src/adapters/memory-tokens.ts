/** Tokens, their revocation and their places in status lists, in memory. */
import type { PendingLeaf } from '../service/log-ports.ts'
import type {
  KnownToken,
  OnceKind,
  Revocation,
  TokenRecord,
  TokenSelection,
  TokenStore,
} from '../service/token-ports.ts'
import type { Publish } from './memory-events.ts'
import { fault } from './memory-fault.ts'
import type { Companions as ReleaseCompanions } from './memory-releases.ts'
import { revocationEvent } from './store-events.ts'

export interface Companions {
  readonly publish: Publish
  /** Throws, and queues none, where one of these leaves waits already. */
  readonly queue: (leaves: readonly PendingLeaf[]) => void
}

/** What sessions do with their tokens. */
export interface SessionTokens {
  readonly sessionOf: (jti: string) => { readonly id: string; readonly jkt: string } | undefined
  readonly liveOf: (session: string, at: Date) => readonly TokenRecord[]
  /** Those that `liveOf` named. Never throws. */
  readonly revoke: (tokens: readonly TokenRecord[], revocation: Revocation) => void
}

export function memoryTokens({ publish, queue }: Companions): TokenStore & {
  readonly prepare: (tokens: readonly TokenRecord[]) => () => void
  readonly ofSessions: SessionTokens
} & Pick<ReleaseCompanions, 'isLive' | 'proofs'> {
  const known = new Map<string, KnownToken>()
  const proofs = new Map<string, Date>()
  const isLive = (at: Date) => (token: KnownToken) => token.expiresAt > at && !token.revocation
  const keyOf = (kind: OnceKind, id: string) => `${kind} ${id}`
  const lists = statusLists()
  const revoke: SessionTokens['revoke'] = (tokens, revocation) => {
    for (const token of tokens) {
      known.set(token.jti, { ...token, revocation })
      publish(revocationEvent(token, revocation))
    }
  }
  return {
    prepare(tokens) {
      const jtis = new Set(tokens.map(({ jti }) => jti))
      if (jtis.size < tokens.length || tokens.some(({ jti }) => known.has(jti)))
        throw fault('there is a token of that jti already')
      return () => {
        for (const token of tokens) known.set(token.jti, { ...token, revocation: undefined })
      }
    },
    isLive(jti, { face, tenant, at }) {
      const token = known.get(jti)
      return (
        token?.tenant === tenant &&
        (token.form === 'broker') === (face === 'key-broker') &&
        isLive(at)(token)
      )
    },
    ofSessions: {
      sessionOf(jti) {
        const { session, jkt } = known.get(jti) ?? {}
        return session === undefined || jkt === undefined ? undefined : { id: session, jkt }
      },
      liveOf: (session, at) =>
        [...known.values()]
          .filter((token) => token.session === session)
          .filter(isLive(at))
          .toSorted(byJti)
          .map(recordOf),
      revoke,
    },
    proofs: {
      isUsed: (id) => proofs.has(keyOf('dpop', id)),
      use: (id, expiresAt) => proofs.set(keyOf('dpop', id), expiresAt),
    },
    findToken: async (jti) => known.get(jti),
    tokensOf: async (appraisal) =>
      [...known.values()].filter((token) => token.appraisal === appraisal).toSorted(byJti),
    liveTokens: async (tenant, { at, selection, limit, after }) =>
      [...known.values()]
        .filter((token) => token.tenant === tenant && agrees(token, selection))
        .filter(isLive(at))
        .toSorted(byJti)
        .filter(({ jti }) => after === undefined || jti > after)
        .slice(0, limit)
        .map(recordOf),
    async revokeTokens(jtis, revocation, leafOf) {
      const fallen = [...new Set(jtis)]
        .toSorted()
        .flatMap((jti) => known.get(jti) ?? [])
        .filter(isLive(revocation.at))
        .map(recordOf)
      queue(fallen.map(leafOf))
      revoke(fallen, revocation)
      return fallen
    },
    takeStatusBlock: async (issuer, request) => lists.take(issuer, request),
    async statusList(list, at) {
      const issuer = lists.issuerOf(list)
      if (issuer === undefined) return undefined
      const revoked = [...known.values()]
        .filter(({ status, expiresAt }) => status.list === list && expiresAt > at)
        .filter(({ revocation }) => revocation !== undefined)
        .map(({ status }) => status.index)
      return { issuer, revoked: revoked.toSorted((a, b) => a - b) }
    },
    async useOnce(kind, id, expiresAt) {
      const key = keyOf(kind, id)
      if (proofs.has(key)) return false
      proofs.set(key, expiresAt)
      return true
    },
    async pruneTokens(before) {
      for (const [key, expiresAt] of proofs) if (expiresAt < before) proofs.delete(key)
      const gone = [...known.values()].filter(({ expiresAt }) => expiresAt < before)
      for (const { jti } of gone) known.delete(jti)
      return gone.length
    },
  }
}

/** Numbered from 1, over all issuers. */
function statusLists() {
  const lists: { readonly issuer: string; readonly capacity: number; next: number }[] = []
  return {
    issuerOf: (list: number) => lists[list - 1]?.issuer,
    take(issuer: string, { size, capacity }: { readonly size: number; readonly capacity: number }) {
      if (size > capacity) throw new RangeError(`${size} slots do not fit into ${capacity}`)
      let at = lists.findLastIndex((list) => list.issuer === issuer)
      const newest = lists[at]
      if (!newest || newest.next + size > newest.capacity)
        at = lists.push({ issuer, capacity, next: 0 }) - 1
      const list = lists[at]
      if (!list) throw new Error('no list')
      const first = list.next
      list.next += size
      return { list: at + 1, first, size }
    },
  }
}

function agrees(token: TokenRecord, selection: TokenSelection): boolean {
  return (['jti', 'appraisal', 'jkt', 'environment', 'agent', 'session'] as const).every(
    (name) => selection[name] === undefined || selection[name] === token[name],
  )
}

function recordOf({ revocation: _, ...token }: KnownToken): TokenRecord {
  return token
}

function byJti(a: TokenRecord, b: TokenRecord): number {
  return a.jti < b.jti ? -1 : 1
}
