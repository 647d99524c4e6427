/** What agents send in sessions and are answered, as it stands on the wire. Signed messages are told in docs/sessions.md. */
import { z } from 'zod'
import { sessionAnswer, sessionId, transcriptDelta } from '../rats/session-message.ts'
import { attestationRequest } from './request-schemas.ts'
import { attestationResponse, issuedToken, logLeaf } from './responses.ts'

export const sessionPath = {
  id: sessionId.meta({
    description: 'Of the session, born in the enclave: 16 bytes in base64url.',
  }),
}

export const sessionAttestationRequest = attestationRequest.extend({
  transcript: transcriptDelta.meta({
    description:
      'The statement whose digest the claims bind (runtimeClaims.transcript), and the events that lead to its heads from those of the message before.',
  }),
})

const session = sessionAnswer.meta({
  description: 'Where the session stands, and what its next message must hold.',
})

export const sessionAttestationResponse = z.union([
  attestationResponse.extend({ session }),
  z.strictObject({ session }).meta({
    description: 'This very request was accepted before. New tokens are asked for at /tokens.',
  }),
])

export const renewedTokensResponse = z.strictObject({
  tokens: z.array(issuedToken).min(1).max(4),
  logLeaf,
})

export const signedMessage = z.string().meta({
  description:
    'A compact JWS (ES256) by the key that the session was opened with: docs/sessions.md.',
})
