/**
 * `vouchsafe/agent/mutual`: two agents show each other that they were attested, before they talk. Each presents a token for the
 * other's name and signs, with the attested key, two nonces, two fresh keys and what names the channel below.
 *
 *     const peer = await meet('initiator', pipe, {
 *       agent: localAgent(),
 *       party: relyingParty({ issuer, audience: 'planner.example', required: { agent: 'executor' } }),
 *       name: 'planner.example',
 *       peerName: 'executor.example',
 *     })
 *     pipe.send(await peer.channel.seal(question))
 *
 * Who relays the three messages learns nothing and can say nothing afterwards, provided that what follows goes through
 * `channel`, or that `channelBinding` is given and what follows goes through that very TLS connection.
 *
 * What it does not give: it says which release the other runs and that it was good a moment ago, not for how long (`claims.expiresAt`
 * and the issuer's events do); not which of several such agents it is, but for `claims.keyThumbprint`; not that the model in it
 * means well. The responder shows its token to whoever asks, so its claims are no secret. Whoever may ask the sidecar for
 * proofs can take part in its name.
 */
import type { AttestedClaims } from '../relying-party/attested-claims.ts'
import { sha256, toBase64Url } from '../relying-party/base64url.ts'
import type { RelyingParty } from '../relying-party/relying-party.ts'
import type { LocalAgent } from './agent.ts'
import { channelOf, type EphemeralKey, ephemeralKey, type MutualChannel } from './mutual-channel.ts'
import {
  type Bound,
  boundText,
  decodedFinish,
  decodedHello,
  decodedReply,
  encoded,
  type Half,
  isHello,
  MutualRefused,
  namesText,
  type Presentation,
  provedRequest,
  type Role,
  signerOf,
} from './mutual-message.ts'

export type { MutualChannel, Role }
export { MutualRefused }

export interface MutualOptions {
  readonly agent: Pick<LocalAgent, 'headersFor'>
  /** Judges the other: its audience is our own name, its `required` what the other must be. One for the life of the program. */
  readonly party: Pick<RelyingParty, 'verify'>
  /** Our own, and the other's: audiences of release rules, in both policies the same. */
  readonly name: string
  readonly peerName: string
  /** `tls-exporter` of the connection below (RFC 9266): whoever ends it in between has another. */
  readonly channelBinding?: Uint8Array<ArrayBuffer>
}

export interface AttestedPeer {
  readonly claims: AttestedClaims
  readonly channel: MutualChannel
}

export interface Initiation {
  /** The first message. */
  readonly hello: Uint8Array<ArrayBuffer>
  /** Takes the second; what it resolves to holds the third, which must be sent. Once. */
  readonly answer: (
    reply: Uint8Array,
  ) => Promise<{ readonly finish: Uint8Array<ArrayBuffer>; readonly peer: AttestedPeer }>
}

export interface Responder {
  /**
   * Takes the first message or the third, as a POST brings them: `reply` is to be sent back, `peer` is who it was. Exchanges
   * that nobody ends are forgotten after half a minute.
   */
  readonly answer: (
    message: Uint8Array,
  ) => Promise<{ readonly reply: Uint8Array<ArrayBuffer> } | { readonly peer: AttestedPeer }>
}

/** Whole messages, of whatever lies below. */
export interface MessagePipe {
  readonly send: (message: Uint8Array<ArrayBuffer>) => Promise<void>
  readonly receive: () => Promise<Uint8Array>
}

interface Exchange {
  readonly bound: Bound
  readonly own: EphemeralKey
  /** Of the token that we presented. */
  readonly signer: string
  readonly until: number
}

const FORGOTTEN_AFTER_MS = 30_000
/** Whoever says hello again and again costs a signature each; the oldest exchange gives way, and an honest one takes milliseconds. */
const MOST_EXCHANGES = 1_000

/** Over a pipe, either role. Throws MutualRefused, and what the pipe and the agent throw. */
export async function meet(
  role: Role,
  { send, receive }: MessagePipe,
  options: MutualOptions,
): Promise<AttestedPeer> {
  if (role === 'initiator') {
    const { hello, answer } = await initiate(options)
    await send(hello)
    const { finish, peer } = await answer(await receive())
    await send(finish)
    return peer
  }
  const { answer } = responder(options)
  const first = await answer(await receive())
  if ('reply' in first) await send(first.reply)
  const last = await answer(await receive())
  if ('peer' in last) return last.peer
  throw new MutualRefused('message-malformed', 'the other agent said hello twice')
}

export async function initiate(options: MutualOptions): Promise<Initiation> {
  const own = await ephemeralKey()
  const half: Half = { nonce: freshNonce(), key: own.key }
  let isAnswered = false
  return {
    hello: encoded(half),
    async answer(message) {
      if (isAnswered) throw unknownExchange()
      const { to, nonce, key, ...presented } = decodedReply(message)
      if (to !== half.nonce) throw unknownExchange()
      // A second answer to one nonce is somebody else's, whatever the first was.
      isAnswered = true
      const bound = await boundBy('initiator', options, {
        initiator: half,
        responder: { nonce, key },
      })
      const claims = await judged('responder', presented, { options, bound })
      const presentedByUs = await presentation('initiator', options, bound)
      const finish = encoded({ to: nonce, ...presentedByUs })
      const channel = await channelOf('initiator', {
        ...{ secret: await own.agree(key), bound },
        signers: { initiator: signerOf(presentedByUs), responder: claims.keyThumbprint },
      })
      return { finish, peer: { claims, channel } }
    },
  }
}

export function responder(options: MutualOptions): Responder {
  const exchanges = new Map<string, Exchange>()

  const answerHello = async (message: Uint8Array) => {
    const theirs = decodedHello(message)
    const own = await ephemeralKey()
    const half: Half = { nonce: freshNonce(), key: own.key }
    const bound = await boundBy('responder', options, { initiator: theirs, responder: half })
    const presented = await presentation('responder', options, bound)
    makeRoom(exchanges)
    const until = performance.now() + FORGOTTEN_AFTER_MS
    exchanges.set(half.nonce, { bound, own, signer: signerOf(presented), until })
    return { reply: encoded({ to: theirs.nonce, ...half, ...presented }) }
  }
  const answerFinish = async (message: Uint8Array) => {
    const { to, ...presented } = decodedFinish(message)
    const exchange = exchanges.get(to)
    // Once, whether it is good or not.
    exchanges.delete(to)
    if (!exchange || exchange.until < performance.now()) throw unknownExchange()
    const { bound, own, signer } = exchange
    const claims = await judged('initiator', presented, { options, bound })
    const secret = await own.agree(bound.halves.initiator.key)
    const signers = { initiator: claims.keyThumbprint, responder: signer }
    return { peer: { claims, channel: await channelOf('responder', { secret, bound, signers }) } }
  }
  return {
    answer: async (message) =>
      isHello(message) ? await answerHello(message) : await answerFinish(message),
  }
}

/** `role`: our own. */
async function boundBy(
  role: Role,
  { name, peerName, channelBinding }: MutualOptions,
  halves: Bound['halves'],
): Promise<Bound> {
  return {
    names:
      role === 'initiator'
        ? { initiator: name, responder: peerName }
        : { initiator: peerName, responder: name },
    halves,
    channel: channelBinding ? await sha256(channelBinding) : '',
  }
}

async function presentation(
  role: Role,
  { agent, peerName }: MutualOptions,
  bound: Bound,
): Promise<Presentation> {
  const { authorization, dpop } = await agent.headersFor({
    ...provedRequest(role),
    body: boundText(role, bound),
    audience: peerName,
  })
  return { token: authorization.replace(/^DPoP /, ''), proof: dpop }
}

/** `role`: of the other. Throws MutualRefused. */
async function judged(
  role: Role,
  presented: Presentation,
  { options, bound }: { readonly options: MutualOptions; readonly bound: Bound },
): Promise<AttestedClaims> {
  const text = boundText(role, bound)
  const request = { ...provedRequest(role), bodySha256: await sha256(text) }
  const verdict = await options.party.verify({ ...presented, request })
  if (!verdict.accepted) throw new MutualRefused(verdict.reason, verdict.detail)
  // A kit that was told to let proofs be that name no body must not do so here.
  if (!verdict.proved || !(await namesText(presented, text)))
    throw new MutualRefused('proof-body-other', 'the proof does not name this exchange')
  return verdict.claims
}

function makeRoom(exchanges: Map<string, Exchange>): void {
  const now = performance.now()
  for (const [nonce, { until }] of exchanges) {
    if (until >= now && exchanges.size < MOST_EXCHANGES) return
    exchanges.delete(nonce)
  }
}

function freshNonce(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
}

function unknownExchange(): MutualRefused {
  return new MutualRefused('exchange-unknown', 'it answers nothing that was said here, or too late')
}
