/** What operators may ask about sessions and bans, field by field. */
import { z } from 'zod'
import { sessionId } from '../rats/session-message.ts'
import { sessionActions } from '../service/act-on-session.ts'
import { standings } from '../service/session-report.ts'
import { tenantName } from './request-schemas.ts'

const reason = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\p{Cc}]+$/u, 'must be one line')
  .meta({ description: 'One sentence for whoever asks why.' })

export const sessionParameter = { id: sessionId }

export const tenantQuery = { tenant: tenantName.optional() }

export const sessionsQuery = {
  ...tenantQuery,
  environment: tenantName.optional(),
  agent: tenantName.optional(),
  standing: z.enum(standings).optional(),
  after: sessionId.optional().meta({ description: 'As `after` of the page before.' }),
}

export const actionRequest = z.strictObject({
  action: z.enum(sessionActions).meta({
    description:
      'quarantine: its tokens end, and nothing goes on until it is released. release: it may bring a full quote, and then goes on. evict: it is over; its agent may open another. quote: a full quote is asked for at once.',
  }),
  reason,
})

const platform = z
  .string()
  .regex(/^([0-9a-f]{2}){8,64}$/, 'must be the name of a machine in hex, as `platforms` has it')
const agent = z.strictObject({ environment: tenantName, agent: tenantName }).meta({
  description: 'For this agent alone; absent: for every agent.',
})

export const banRequest = z
  .strictObject({
    tenant: tenantName.default('default'),
    platform: platform.exactOptional(),
    session: sessionId
      .exactOptional()
      .meta({ description: 'In place of `platform`: the machine that this session runs on.' }),
    agent: agent.exactOptional(),
    reason,
  })
  .refine(({ platform: one, session }) => (one === undefined) !== (session === undefined), {
    message: 'must name exactly one of platform, session',
  })

export const liftRequest = z.strictObject({
  tenant: tenantName.default('default'),
  platform,
  agent: agent.exactOptional(),
  reason,
})
