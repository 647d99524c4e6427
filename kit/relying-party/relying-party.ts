/**
 * `vouchsafe/relying-party`: does this token come from an agent that was attested, does it say enough, and does it still hold?
 *
 *     const party = relyingParty({
 *       issuer: 'https://attest.example.com',
 *       audience: 'kms.example',
 *       required: { environment: 'prod', scopes: ['secret:db-ro'] },
 *     })
 *     const verdict = await party.verify({ token, proof, request: { method, url, bodySha256 } })
 *     if (!verdict.accepted) console.warn(verdict.reason, verdict.detail)
 *
 * It needs fetch and WebCrypto alone: Node 20.3 and newer, Deno, Bun, browsers, workers. Nothing that a caller sends makes it throw.
 */
import type { AttestationResult } from './attestation-result.ts'
import type { AttestedClaims } from './attested-claims.ts'
import { discoverKeys, keyCache } from './key-cache.ts'
import { openToken } from './open-token.ts'
import { openProof, type ProvedRequest } from './proof.ts'
import { memoryProofStore, type ProofStore } from './proof-store.ts'
import { type RelyingPartyOptions, settingsOf } from './relying-party-options.ts'
import type { RequiredClaims } from './required-claims.ts'
import { statusCache } from './status-cache.ts'
import { type Follower, followStatusEvents } from './status-events.ts'
import { type TokenForm, tokenForms } from './token-form.ts'
import {
  type Accepted,
  quoted,
  type Reason,
  type Refused,
  refused,
  type Verdict,
} from './verdict.ts'

export type {
  Accepted,
  AttestationResult,
  AttestedClaims,
  Follower,
  ProofStore,
  ProvedRequest,
  Reason,
  Refused,
  RelyingPartyOptions,
  RequiredClaims,
  TokenForm,
  Verdict,
}
export { memoryProofStore }

export interface Presented {
  /** What stood after `DPoP ` or `Bearer `; undefined where nothing did. */
  readonly token: string | undefined
  /** The DPoP header; undefined where there is none. */
  readonly proof?: string | undefined
  /** Needed where there is a proof. */
  readonly request?: ProvedRequest
  /** What the token must have as `eat_nonce`: a challenge of your own. */
  readonly nonce?: string
}

export interface RelyingParty {
  readonly accept: readonly TokenForm[]
  /** Never rejects. Without a proof, forms that need one are refused. */
  readonly verify: (presented: Presented) => Promise<Verdict>
  /**
   * Whether the token is good, and not whether its agent presents it: whoever has seen it has a copy. For you to prove
   * possession in a way of your own, by `claims.keyThumbprint`. Never rejects.
   */
  readonly verifyWithoutProof: (presented: Pick<Presented, 'token' | 'nonce'>) => Promise<Verdict>
  /** Hears of revocations as they happen, until it is closed. Without it they are noticed within the list's ttl. */
  readonly follow: (changed?: (state: 'following' | 'down') => void) => Follower
}

/** Throws TypeError for options that cannot be meant. */
export function relyingParty(options: RelyingPartyOptions): RelyingParty {
  const settings = settingsOf(options)
  const { issuer, fetch, now, proofs, bodyDigest } = settings
  const sources = {
    fetch,
    now,
    maxAgeSeconds: settings.keysMaxAgeSeconds,
    graceSeconds: settings.keysGraceSeconds,
  }
  const keys = {
    sig: keyCache({
      ...sources,
      use: 'sig',
      locate: async () => settings.jwksUri ?? (await discoverKeys(issuer, fetch)),
    }),
    'wit-svid': keyCache({
      ...sources,
      use: 'wit-svid',
      locate: async () => `${issuer}/.well-known/spiffe-bundle`,
    }),
  }
  const statuses = statusCache({
    issuer,
    fetch,
    now,
    keys: keys.sig,
    skewSeconds: settings.skewSeconds,
    graceSeconds: settings.statusGraceSeconds,
  })

  const open = ({ token, nonce }: Pick<Presented, 'token' | 'nonce'>) =>
    openToken({ token, nonce, keys }, settings)

  async function statusRefusal({ status }: AttestedClaims): Promise<Refused | undefined> {
    if (settings.statusList === 'ignored') return undefined
    switch (await statuses.statusOf(status.uri, status.index)) {
      case 'valid':
        return undefined
      case 'revoked':
        return refused(
          'token-revoked',
          `entry ${status.index} of ${status.uri} says that it was revoked`,
        )
      case 'unavailable':
        return refused(
          'status-unavailable',
          `no list at ${quoted(status.uri)} says whether it holds`,
        )
    }
  }

  async function verify(presented: Presented): Promise<Verdict> {
    const claims = await open(presented)
    if ('accepted' in claims) return claims
    const { token = '', proof, request } = presented
    if (proof === undefined || request === undefined) {
      if (tokenForms[claims.form].presented === 'with proof')
        return refused('proof-missing', `a ${claims.form} token needs a proof in the header DPoP`)
      return (await statusRefusal(claims)) ?? accepted(claims)
    }
    const at = now() / 1000
    const { keyThumbprint: thumbprint } = claims
    const used = await openProof(proof, { ...request, token, thumbprint, bodyDigest, at })
    if ('accepted' in used) return used
    return (
      (await statusRefusal(claims)) ??
      // Last, so that only whoever has a good token and its key can add anything.
      (await useProof(proofs, used)) ?? {
        ...accepted(claims),
        proved: true,
        uncheckedBodySha256: used.uncheckedBodySha256,
      }
    )
  }

  return {
    accept: settings.accept,
    verify,
    async verifyWithoutProof(presented) {
      const claims = await open(presented)
      if ('accepted' in claims) return claims
      return (await statusRefusal(claims)) ?? accepted(claims)
    },
    follow: (changed) =>
      followStatusEvents({ issuer, fetch, statuses, ...(changed && { changed }) }),
  }
}

function accepted(claims: AttestedClaims): Accepted {
  return { accepted: true, claims, proved: false, uncheckedBodySha256: undefined }
}

async function useProof(
  proofs: ProofStore,
  { id, expiresAt }: { readonly id: string; readonly expiresAt: number },
): Promise<Refused | undefined> {
  try {
    if (await proofs.useOnce(id, expiresAt)) return undefined
    return refused('proof-used', 'its jti was used before')
  } catch {
    return refused('proof-store-unavailable', 'nobody can tell whether its jti was used before')
  }
}
