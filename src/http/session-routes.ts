/** The routes of sessions, for agents: opening one, heartbeats, new quotes, new tokens, and the end. */
import { hash } from 'node:crypto'
import { Problem, type ProblemCode } from '../problems.ts'
import { findingJson } from '../rats/finding-json.ts'
import { sessionAnswer } from '../rats/session-message.ts'
import type { Attested } from '../service/attest.ts'
import { closeSession } from '../service/close-session.ts'
import { type Heard, heartbeat } from '../service/heartbeat.ts'
import { openSession } from '../service/open-session.ts'
import { reattestSession } from '../service/reattest-session.ts'
import type { SessionAttestationRequest, SessionAttested } from '../service/session-course.ts'
import { renewTokens } from '../service/session-tokens.ts'
import {
  type AttestationsServed,
  earQuery,
  evidenceRejected,
  proofHeader,
  requestOf,
} from './attestation-routes.ts'
import { messageRoom } from './message-room.ts'
import { readBody, receivedBytes } from './request-body.ts'
import { attestationJson, tokenJson } from './responses.ts'
import { type Asked, json, type Route } from './route.ts'
import type { MessageKind, SessionCounts } from './session-counts.ts'
import {
  renewedTokensResponse,
  sessionAttestationRequest,
  sessionAttestationResponse,
  sessionPath,
  signedMessage,
} from './session-schemas.ts'

export interface SessionsServed extends AttestationsServed {
  /** Undefined: nobody asks for figures. */
  readonly sessionCounts?: SessionCounts | undefined
}

/** Evidence as for an attestation, and the most events that one message may hold, as JSON writes them. */
const LARGEST_QUOTE = 896 * 1024
/** The same events, once more in base64. */
const LARGEST_HEARTBEAT = 512 * 1024
const LARGEST_RENEWAL = 8 * 1024

const attestationProblems: readonly ProblemCode[] = [
  'evidence-unrecognised',
  'endorsement-unreadable',
  'challenge-unknown',
  'challenge-expired',
  'challenge-used',
  'release-unknown',
  'evidence-rejected',
  'session-not-offered',
  'policy-unavailable',
  'policy-stale',
  'collateral-unavailable',
  'storage-unavailable',
]
const messageProblems: readonly ProblemCode[] = [
  'session-unknown',
  'session-message-refused',
  'session-over',
  'session-nonce-refused',
  'too-many-requests',
  'policy-unavailable',
  'storage-unavailable',
]
const historyProblems: readonly ProblemCode[] = [
  'session-behind',
  'session-chain-broken',
  'session-superseded',
]

export function sessionRoutes(served: SessionsServed): readonly Route[] {
  const { verifier } = served
  const room = messageRoom()
  const counted = countedBy(served.sessionCounts)
  /** What all signed messages have in common. `budget`: by session, once it is known whose they are. */
  const message = {
    method: 'POST',
    parameters: sessionPath,
    budget: 'none',
    request: signedMessage,
    requestType: 'application/jose',
    takesBytes: true,
    before: room.before,
  } as const
  return [
    {
      method: 'POST',
      path: '/v1/sessions',
      summary:
        'Evidence bound to the beginning of a transcript in; tokens, and a session that goes on, out',
      welcomes: 'viewer',
      headers: [proofHeader],
      query: { ear: earQuery },
      request: sessionAttestationRequest,
      largestBody: LARGEST_QUOTE,
      response: sessionAttestationResponse,
      problems: [...attestationProblems, 'session-exists'],
      answer: async (asked) =>
        await counted('open', async () => {
          const request = await attestationOf(asked)
          const opened = await openSession(
            verifier,
            { ...request, admit: async ({ tenant }) => await asked.forTenant(tenant) },
            asked.call,
          )
          const answered = await attestedAnswer(served, asked, opened)
          room.know(request.transcript.statement.session)
          return answered
        }),
    },
    {
      ...message,
      path: '/v1/sessions/{id}/heartbeats',
      summary: 'An agent says that it is there, and what it loaded and did since it said so last',
      welcomes: 'viewer',
      queue: 'messages',
      largestBody: LARGEST_HEARTBEAT,
      response: sessionAnswer,
      problems: [...messageProblems, ...historyProblems, 'session-evidence-needed'],
      answer: async (asked) =>
        await counted('heartbeat', async () => {
          const heard = await room.heard(
            asked,
            async (sent) => await heartbeat(verifier, sent, asked.call),
          )
          return heardAnswer(served, asked, heard)
        }),
    },
    {
      method: 'POST',
      path: '/v1/sessions/{id}/attestations',
      parameters: sessionPath,
      summary:
        'A new full quote over the transcript as it stands: tokens, and the session is ACTIVE again',
      welcomes: 'viewer',
      headers: [proofHeader],
      query: { ear: earQuery },
      request: sessionAttestationRequest,
      largestBody: LARGEST_QUOTE,
      response: sessionAttestationResponse,
      problems: [
        ...attestationProblems,
        ...historyProblems,
        'session-unknown',
        'session-message-refused',
        'session-over',
        'session-nonce-refused',
      ],
      answer: async (asked) =>
        await counted('quote', async () => {
          const request = await attestationOf(asked)
          const again = await room.heard(
            asked,
            async ({ id, admit }) =>
              await reattestSession(verifier, { ...request, id, admit }, asked.call),
          )
          return await attestedAnswer(served, asked, again)
        }),
    },
    {
      ...message,
      path: '/v1/sessions/{id}/tokens',
      summary: 'New tokens in place of those that end, on the evidence of the last quote',
      query: { ear: earQuery },
      // Strangers' evidence waits elsewhere: a flood of it must not keep sessions from their tokens.
      queue: 'messages',
      largestBody: LARGEST_RENEWAL,
      response: renewedTokensResponse,
      problems: [...messageProblems, 'session-evidence-needed', 'policy-stale'],
      answer: async (asked) =>
        await counted('tokens', async () => {
          const earNames = asked.query.ear === 'legacy' ? 'legacy' : '2026'
          const { tokens, logLeaf } = await room.heard(
            asked,
            async (sent) => await renewTokens(verifier, { ...sent, earNames }, asked.call),
          )
          return { outcome: 'accepted', response: json({ tokens: tokens.map(tokenJson), logLeaf }) }
        }),
    },
    {
      ...message,
      path: '/v1/sessions/{id}/close',
      summary: 'The agent is done: its session is closed, and its tokens are revoked',
      queue: 'messages',
      largestBody: LARGEST_RENEWAL,
      response: sessionAnswer,
      problems: messageProblems,
      answer: async (asked) =>
        await counted('close', async () => ({
          outcome: 'accepted',
          response: json(
            await room.heard(asked, async (sent) => await closeSession(verifier, sent, asked.call)),
          ),
        })),
    },
  ]
}

interface Answered {
  readonly outcome: 'accepted' | 'repeated'
  readonly response: Response
}

function countedBy(counts: SessionCounts | undefined) {
  return async (kind: MessageKind, answer: () => Promise<Answered>): Promise<Response> => {
    try {
      const { outcome, response } = await answer()
      counts?.count(kind, outcome)
      return response
    } catch (fault) {
      counts?.count(kind, fault instanceof Problem ? fault.code : 'failed')
      throw fault
    }
  }
}

async function attestationOf(asked: Asked): Promise<Omit<SessionAttestationRequest, 'admit'>> {
  const { value, sha256 } = await readBody(asked.request, sessionAttestationRequest)
  const { transcript, ...attestation } = value
  return {
    ...requestOf(attestation, { ...asked, sha256 }),
    transcript,
    digest: hash('sha256', receivedBytes(asked.request)),
  }
}

async function attestedAnswer(
  { explainRefusals }: SessionsServed,
  { operator, unprovenEvidence }: Asked,
  given: SessionAttested,
): Promise<Answered> {
  if (given.verdict === 'repeated')
    return { outcome: 'repeated', response: json({ session: given.answer }) }
  const { attested, answer } = given
  if (attested.verdict === 'issued' && answer)
    return {
      outcome: 'accepted',
      response: json({ ...attestationJson(attested), session: answer }),
    }
  throw await refusalOf(attested, {
    explained: explainRefusals || operator !== undefined,
    unprovenEvidence,
  })
}

async function refusalOf(
  attested: Attested,
  {
    explained,
    unprovenEvidence,
  }: { readonly explained: boolean } & Pick<Asked, 'unprovenEvidence'>,
): Promise<Error> {
  if (attested.verdict === 'issued') return new Error('tokens were issued in no session')
  if (!attested.isProven) await unprovenEvidence()
  return evidenceRejected(attested, { explained })
}

/** Findings quote the policy: strangers get the ids of the checks, as from refused evidence. */
function heardAnswer(
  { explainRefusals }: SessionsServed,
  { operator }: Asked,
  heard: Heard,
): Answered {
  if (heard.verdict !== 'quarantined')
    return { outcome: heard.verdict, response: json(heard.answer) }
  const { session, findings, sentence } = heard
  const failing = findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
  const explained = explainRefusals || operator !== undefined
  throw new Problem(
    'session-over',
    `session ${session.id} is QUARANTINED: ${explained ? sentence : `refused at runtime by ${failing.join(', ')}`}`,
    {
      members: {
        state: 'QUARANTINED',
        reason: 'policy_violation',
        stage: 'runtime',
        failing,
        ...(explained && { findings: findings.map(findingJson) }),
      },
    },
  )
}
