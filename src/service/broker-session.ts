/**
 * `POST /kbs/v0/auth`: a handshake of the Key Broker protocol begins, with a nonce that is good once. And which handshake does
 * a cookie or token name afterwards?
 */
import { toHex } from '../bytes/encoding.ts'
import { takesSimulated } from '../pki/anchor.ts'
import { Problem } from '../problems.ts'
import { type BrokerHash, brokerHashes } from '../rats/broker-binding.ts'
import { openBrokerToken } from '../token/broker-token.ts'
import { type BrokerTee, brokerTees } from './broker-evidence.ts'
import { tokenIdOf } from './broker-tokens.ts'
import type { AttestedBrokerSession, BrokerSession } from './release-ports.ts'
import type { Call, Tenant, Verifier } from './verifier.ts'

/** How a tenant takes part in the Key Broker protocol. */
export interface BrokerSwitches {
  /** Stock clients are answered: /kbs/v0/. */
  readonly keyBroker: boolean
  /** Evidence that nobody signs is taken, where simulated evidence is. */
  readonly sample: boolean
  /** Operators may have evidence appraised that others collected: POST /attestation. */
  readonly attestationService: boolean
}

export interface HandshakeRequest {
  /** Of the protocol. */
  readonly version: string
  /** As the protocol spells it. */
  readonly tee: string
  /** Hash algorithms that the client knows; undefined where it says nothing, which means the usual one. */
  readonly hashes: readonly string[] | undefined
}

export interface BegunHandshake {
  readonly session: BrokerSession
  /** Undefined: the usual one, which the client takes by itself. */
  readonly selectedHash: BrokerHash | undefined
}

/** `composed`: runtime data, init-data and the evidence of devices, since 0.4.0; `plain`: a key and evidence, before. */
export type AttestationForm = 'composed' | 'plain'

const forms: Readonly<Record<string, AttestationForm>> = { '0.4.0': 'composed', '0.2.0': 'plain' }

const HANDSHAKE_SECONDS = 300
const ID_SIZE = 16
const NONCE_SIZE = 32
const USUAL_HASH = 'sha384'

/** Throws Problem: `broker-handshake-refused`, `storage-unavailable`. */
export async function beginHandshake(
  { store, random }: Pick<Verifier, 'store' | 'random'>,
  { tenant, request }: { readonly tenant: Tenant; readonly request: HandshakeRequest },
  { at }: Pick<Call, 'at'>,
): Promise<BegunHandshake> {
  const form = Object.hasOwn(forms, request.version) ? forms[request.version] : undefined
  if (!form)
    throw refused(
      `protocol version ${request.version}: this service speaks ${Object.keys(forms).join(' and ')}`,
    )
  brokerTeeOf(tenant, request.tee)
  const hash = form === 'plain' ? USUAL_HASH : chosenHash(request.hashes)
  const session: BrokerSession = {
    id: toHex(random.bytes(ID_SIZE)),
    tenant: tenant.name,
    tee: request.tee,
    version: hash === USUAL_HASH ? request.version : `${request.version}+${hash}`,
    nonce: Buffer.from(random.bytes(NONCE_SIZE)).toString('base64'),
    createdAt: at,
    expiresAt: new Date(at.getTime() + HANDSHAKE_SECONDS * 1000),
    attested: undefined,
  }
  await store.openBrokerSession(session)
  return { session, selectedHash: hash === USUAL_HASH ? undefined : hash }
}

/** Which TEEs a tenant takes. Throws Problem('broker-handshake-refused'). */
export function brokerTeeOf({ broker, anchors }: Tenant, name: string): BrokerTee {
  const kind = brokerTees.get(name)
  if (!kind) throw refused(`tee ${name}: this service takes ${[...brokerTees.keys()].join(', ')}`)
  if (kind.isUnsigned && !(broker?.sample && takesSimulated(anchors)))
    throw refused(
      `tee ${name}: nobody signs such evidence, and it is not switched on here (VOUCHSAFE_KBS_SAMPLE, and a tenant that takes simulated evidence)`,
    )
  return kind
}

/** The usual one where it can be had: a client that is told nothing takes that. */
function chosenHash(known: readonly string[] | undefined): BrokerHash {
  if (!known) return USUAL_HASH
  const names = known.map((name) => name.toLowerCase())
  const chosen = [USUAL_HASH, ...brokerHashes.toReversed()].find((each) => names.includes(each))
  if (chosen) return chosen as BrokerHash
  throw refused(`supported-hash-algorithms: none of ${brokerHashes.join(', ')} is among them`)
}

/** What a session's version says. */
export function termsOf({ version }: Pick<BrokerSession, 'version'>): {
  readonly protocol: string
  readonly form: AttestationForm
  readonly hash: BrokerHash
} {
  const [protocol = '', name = USUAL_HASH] = version.split('+')
  const form = Object.hasOwn(forms, protocol) ? forms[protocol] : undefined
  const hash = brokerHashes.find((each) => each === name)
  // `beginHandshake` of this version wrote neither.
  if (!form || !hash) throw refused(`its protocol version ${version} is spoken no more`)
  return { protocol, form, hash }
}

/** A handshake that waits for its evidence. Throws Problem: `broker-handshake-refused`, `storage-unavailable`. */
export async function waitingSession(
  { store }: Pick<Verifier, 'store'>,
  { tenant, id }: { readonly tenant: Tenant; readonly id: string | undefined },
  { at }: Pick<Call, 'at'>,
): Promise<BrokerSession> {
  const session = id === undefined ? undefined : await store.findBrokerSession(id)
  if (session?.tenant !== tenant.name || session.expiresAt <= at)
    throw refused(
      'there is no handshake of this cookie, or it is over: POST /kbs/v0/auth begins one',
    )
  if (session.attested)
    throw refused('this handshake was attested before: each nonce is good for one attestation')
  return session
}

/** By cookie, or else by token. Throws Problem: `broker-session-required`, `storage-unavailable`. */
export async function attestedSession(
  { store }: Pick<Verifier, 'store'>,
  {
    tenant,
    cookie,
    token,
  }: {
    readonly tenant: Tenant
    readonly cookie: string | undefined
    readonly token: string | undefined
  },
  { at }: Pick<Call, 'at'>,
): Promise<AttestedBrokerSession> {
  const { hardware, simulated } = tenant.issuers
  const named =
    token === undefined
      ? undefined
      : openBrokerToken(token, simulated ? [hardware, simulated] : [hardware], at)
  for (const id of [cookie, named]) {
    const session = id === undefined ? undefined : await store.findBrokerSession(id)
    const attested = session?.attested
    if (session?.tenant === tenant.name && attested && (await holds({ store }, session.id, at)))
      return { ...session, attested }
  }
  throw new Problem(
    'broker-session-required',
    cookie === undefined && token === undefined
      ? 'there is neither the cookie of an attested handshake nor a bearer token'
      : 'neither cookie nor token is of a handshake that is attested and not over',
  )
}

/** A handshake is good as long as its token: whatever revokes that ends both. */
async function holds(
  { store }: Pick<Verifier, 'store'>,
  handshake: string,
  at: Date,
): Promise<boolean> {
  const token = await store.findToken(tokenIdOf(handshake))
  return token !== undefined && token.revocation === undefined && token.expiresAt > at
}

export function refused(reason: string): Problem {
  return new Problem('broker-handshake-refused', reason)
}
