/** What operators are told about bans, by the service and by the command line alike. */
import { z } from 'zod'
import type { Banned } from './ban-machine.ts'
import type { Ban } from './session-ports.ts'

const ban = z.object({
  tenant: z.string(),
  platform: z.string().meta({ description: 'Name of the machine, in hex.' }),
  agent: z
    .object({ environment: z.string(), agent: z.string() })
    .nullable()
    .meta({ description: 'null: every agent.' }),
  reason: z.string(),
  by: z.string(),
  at: z.iso.datetime(),
})

export const bansResponse = z.object({ bans: z.array(ban) })
export type BansReport = z.output<typeof bansResponse>

export const bannedResponse = z.object({
  bans: z.array(ban).meta({ description: 'One for each name of the machine.' }),
  sessions: z.int().meta({ description: 'How many sessions ended by it.' }),
  next: z.string(),
})
export type BannedReport = z.output<typeof bannedResponse>

export const liftedResponse = z.object({ lifted: ban, next: z.string() })
export type LiftedReport = z.output<typeof liftedResponse>

export function bansJson(bans: readonly Ban[]): BansReport {
  return { bans: bans.map(banJson) }
}

export function bannedJson(all: readonly Banned[]): BannedReport {
  return {
    bans: all.map((each) => banJson(each.ban)),
    sessions: all.reduce((sum, { sessions }) => sum + sessions, 0),
    next: 'Evidence of this machine is refused from now on (revoked.ban), and live tokens that rest on it are revoked within seconds. `vouchsafe session unban` lifts it; for good, name the machine under spec.platforms of a file in revoked/ of the policy repository.',
  }
}

export function liftedJson(lifted: Ban): LiftedReport {
  return {
    lifted: banJson(lifted),
    next: 'What ended by the ban stays over: agents on this machine open new sessions.',
  }
}

function banJson({ tenant, platform, environment, agent, reason, by, at }: Ban) {
  return {
    ...{ tenant, platform },
    agent: environment === undefined || agent === undefined ? null : { environment, agent },
    ...{ reason, by, at: at.toISOString() },
  }
}
