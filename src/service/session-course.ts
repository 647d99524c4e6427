/**
 * What an attestation in a session is judged by besides: that its claims bind the transcript that came with it, the runtime
 * checks over that transcript, and the register that the hardware kept meanwhile.
 */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { RuntimeUsage } from '../rats/runtime-usage.ts'
import type { SessionAnswer, TranscriptDelta } from '../rats/session-message.ts'
import type { Checkpoint } from '../rats/transcript.ts'
import type { AttestationRequest, Attested } from './attest.ts'
import type { AnyAuthentication, Matter, SessionMatter } from './decision.ts'
import { isLoadingWatched, type JudgedMessage, judgeMessage } from './session-findings.ts'
import type { SessionRecord } from './session-ports.ts'
import type { Call } from './verifier.ts'

export interface SessionAttestationRequest extends AttestationRequest {
  readonly transcript: TranscriptDelta
  /** SHA-256 of the body, hex. */
  readonly digest: string
  /** Called once the request is known to be the session's; throws Problem where it may send no more now. */
  readonly admit: (session: Pick<SessionRecord, 'id' | 'tenant'>) => Promise<void>
}

export type SessionAttested =
  /** The answer was lost and the same bytes came again: tokens are asked for anew. */
  | { readonly verdict: 'repeated'; readonly answer: SessionAnswer }
  | {
      readonly verdict: 'judged'
      readonly attested: Attested
      readonly answer: SessionAnswer | undefined
    }

export interface TranscriptSubject {
  readonly transcript: TranscriptDelta
  readonly checkpoint: Checkpoint
  /** Undefined where the session opens. */
  readonly before: SessionRecord | undefined
  readonly usage: RuntimeUsage
  readonly stored?: readonly string[]
}

/** Throws Problem('session-not-offered'). */
export function judgeTranscript(
  matter: Matter,
  authentication: AnyAuthentication,
  { transcript, checkpoint, before, usage, stored = [] }: TranscriptSubject,
  { at }: Pick<Call, 'at'>,
): JudgedMessage & { readonly matter: SessionMatter } {
  const { policy, release, tee } = matter
  if (!release.runtime)
    throw new Problem(
      'session-not-offered',
      `the release of ${release.environment}/${release.agent} has no section runtime`,
    )
  const { authentic } = authentication
  const quoted = authentic && tee.runtimeRegister?.(authentic.evidence)
  const judged = judgeMessage({
    ...{ policy, release, transcript, before, usage, stored, at },
    // What is not authentic says nothing, and is refused for that.
    register: authentic && { quoted: quoted && toHex(quoted), replayed: checkpoint.register },
  })
  const { findings } = judged
  const { session: id } = transcript.statement
  const { measurement } = checkpoint
  return {
    ...judged,
    matter: { id, findings, measurement, isLoadingWatched: isLoadingWatched(findings) },
  }
}

/** Both are signed by the agent, and the hardware vouches for the claims alone. Throws Problem('request-malformed'). */
export function assertBinds(
  { session, seq, transcript }: RuntimeClaims,
  { statement }: TranscriptDelta,
  digest: string,
): void {
  const expected = { session: statement.session, seq: statement.seq, transcript: digest }
  const claimed = { session, seq, transcript }
  for (const name of ['session', 'seq', 'transcript'] as const)
    if (claimed[name] !== expected[name])
      throw new Problem(
        'request-malformed',
        `runtimeClaims.${name} is ${JSON.stringify(claimed[name])}, and the statement of the transcript makes it ${expected[name]}`,
      )
}
