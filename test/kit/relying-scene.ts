/** A relying party before a running service: its real tokens, others that its keys signed, proofs, and one clock for both sides. */
import { randomUUID } from 'node:crypto'
import { CompactSign, decodeJwt } from 'jose'
import type { TokenForm } from '#src/rats/release.ts'
import { type Issuer, signToken } from '#src/token/issuer.ts'
import { signingForms } from '#src/token/token-key.ts'
import type { AgentKey } from '../../enclave/attestation.ts'
import { sha256 } from '../../kit/relying-party/base64url.ts'
import type { ProvedRequest } from '../../kit/relying-party/proof.ts'
import {
  type RelyingParty,
  type RelyingPartyOptions,
  relyingParty,
  type Verdict,
} from '../../kit/relying-party/relying-party.ts'
import { agentOf, bearer, post } from '../http/running-service.ts'
import { audiences, ISSUER, type Issuing, issuing } from '../relying-parties/issuing.ts'

export { audiences, ISSUER }

export const REQUEST: ProvedRequest = {
  method: 'POST',
  url: 'https://kms.example/v1/unwrap',
  bodySha256: 'none',
}

export interface RelyingScene {
  readonly from: Issuing
  /** Addresses that were fetched, oldest first. */
  readonly fetched: string[]
  /** Of the running service's issuer for hardware. */
  readonly issuer: Issuer
  readonly sig: AgentKey
  readonly good: Readonly<Record<TokenForm, string>>
  readonly party: (options?: Partial<RelyingPartyOptions>) => RelyingParty
  /** The good token of a form, its claims changed before the issuer signed it. */
  readonly signed: (form: TokenForm, change: Readonly<Record<string, unknown>>) => Promise<string>
  /** As `signed`, with any header under the key of the form. */
  readonly headed: (
    form: TokenForm,
    header: Readonly<Record<string, unknown>>,
    claims?: unknown,
  ) => Promise<string>
  readonly proof: (token: string, change?: ProofChange) => Promise<string>
  readonly verify: (party: RelyingParty, token: string | undefined) => Promise<Verdict>
  /** Claims of the good token of a form, with a member of a member replaced. */
  readonly within: (
    form: TokenForm,
    path: readonly string[],
    value: unknown,
  ) => Readonly<Record<string, unknown>>
  /** A token for federation that nobody has seen. */
  readonly fresh: () => Promise<string>
  /** As an operator does. */
  readonly revoke: (token: string) => Promise<void>
  /** Moves the clock of both sides. */
  readonly wait: (seconds: number) => void
  readonly close: () => Promise<void>
}

export interface ProofChange {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  /** Default: the agent's. */
  readonly key?: AgentKey
}

export async function relyingScene(): Promise<RelyingScene> {
  const from = await issuing()
  const { verifier, clock } = from.service
  const issuer = verifier.tenants.get('default')?.issuers.hardware
  if (!issuer) throw new Error('there is no issuer')
  const { sig } = (await agentOf(from.service)).keys
  const tokens = await from.tokens({ audience: Object.values(audiences) })
  const tokenOf = (form: TokenForm) => tokens.find((each) => each.form === form)?.token ?? ''
  const good = {
    possession: tokenOf('possession'),
    federation: tokenOf('federation'),
    workload: tokenOf('workload'),
  }
  const fetched: string[] = []
  const seconds = () => Math.floor(clock.at.getTime() / 1000)

  async function proof(
    token: string,
    { header = {}, claims = {}, key = sig }: ProofChange = {},
  ): Promise<string> {
    const { method, url } = REQUEST
    const said = { jti: randomUUID(), htm: method, htu: url, iat: seconds() }
    const payload = JSON.stringify({ ...said, ath: await sha256(token), ...claims })
    const typed = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicKey, ...header }
    return await new CompactSign(new TextEncoder().encode(payload))
      .setProtectedHeader(typed)
      .sign(key.privateKey)
  }

  return {
    from,
    fetched,
    issuer,
    sig,
    good,
    party: (options = {}) =>
      relyingParty({
        issuer: ISSUER,
        audience: Object.values(audiences),
        accept: ['possession', 'federation', 'workload'],
        now: () => clock.at.getTime(),
        fetch: async (url, init) => {
          fetched.push(url)
          return await from.fetch(url, init)
        },
        ...options,
      }),
    signed: async (form, change) =>
      await signToken(issuer, {
        form,
        claims: { ...decodeJwt(good[form]), ...change },
        at: clock.at,
      }),
    async headed(form, header, claims = decodeJwt(good[form])) {
      const { kid, privateKey } = issuer.signer(form, clock.at)
      const { algorithm, typ } = signingForms[form]
      const head = { alg: algorithm.alg, kid, typ, ...header }
      const text = [head, claims]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.')
      const signature = await algorithm.sign(Buffer.from(text), privateKey)
      return `${text}.${Buffer.from(signature).toString('base64url')}`
    },
    proof,
    verify: async (party, token) =>
      await party.verify({
        token,
        proof: await proof(token ?? ''),
        request: REQUEST,
      }),
    within(form, path, value) {
      const claims = structuredClone(decodeJwt(good[form])) as Record<string, unknown>
      let place = claims
      for (const name of path.slice(0, -1)) place = place[name] as Record<string, unknown>
      place[path.at(-1) ?? ''] = value
      return claims
    },
    async fresh() {
      const [opened] = await from.tokens({ audience: audiences.federation })
      if (!opened) throw new Error('no token')
      return opened.token
    },
    async revoke(token) {
      const body = JSON.stringify({ token: decodeJwt(token).jti })
      const url = `${from.service.address}/v1/revocations`
      const { json } = await post(url, body, bearer('operator'))
      if (json.revoked !== 1) throw new Error(JSON.stringify(json))
    },
    wait(seconds) {
      clock.at = new Date(clock.at.getTime() + seconds * 1000)
    },
    close: () => from.close(),
  }
}

/** What is compared with a table. */
export function outcome(verdict: Verdict): string {
  return verdict.accepted ? 'accepted' : verdict.reason
}

/** Where a token stands in a status list. */
export function entryOf(token: string): { readonly uri: string; readonly idx: number } {
  const { status } = decodeJwt(token) as { status: { status_list: { uri: string; idx: number } } }
  return status.status_list
}
