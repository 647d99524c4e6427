/** Who may have no session, in memory. */
import type { Ban, SessionStore } from '../service/session-ports.ts'
import type { Companions } from './memory-policies.ts'
import { banEvent } from './store-events.ts'

export function memoryBans({
  publish,
  queue,
}: Companions): Pick<SessionStore, 'ban' | 'liftBan' | 'bansOf'> {
  const bans = new Map<string, Ban>()
  return {
    async ban(ban, leaf) {
      queue([leaf])
      bans.set(keyOf(ban), ban)
      publish(banEvent(ban, 'banned'))
    },
    async liftBan(ban, leaf) {
      if (!bans.has(keyOf(ban))) return false
      queue([leaf])
      bans.delete(keyOf(ban))
      publish(banEvent(ban, 'lifted'))
      return true
    },
    bansOf: async (tenant) =>
      [...bans].filter(([, ban]) => ban.tenant === tenant).map(([, ban]) => ban),
  }
}

function keyOf({
  tenant,
  platform,
  environment,
  agent,
}: Pick<Ban, 'tenant' | 'platform' | 'environment' | 'agent'>) {
  return JSON.stringify([tenant, platform, environment ?? null, agent ?? null])
}
