/** Sealed keys, in memory. */
import { sameBytes } from '../bytes/encoding.ts'
import type { KeyPurpose, KeyStore, SealedKey } from '../service/token-ports.ts'
import { fault } from './memory-fault.ts'
import type { Companions } from './memory-policies.ts'
import { keyEvent } from './store-events.ts'

export function memoryKeys({ publish, queue }: Companions): KeyStore {
  let keys: readonly SealedKey[] = []
  const keysFor = (purpose: KeyPurpose) =>
    keys.filter((key) => key.purpose === purpose).toSorted(newestFirst)
  const keep = (key: SealedKey) => {
    if (keysFor(key.purpose).some(({ kid }) => kid === key.kid))
      throw fault(`there is a key ${key.kid} already`)
    keys = [...keys, key]
  }
  return {
    async keepFirstKey(key) {
      const [kept] = keysFor(key.purpose)
      if (!kept) keep(key)
      return kept ?? key
    },
    async addKey(key, after, leaf) {
      if (keysFor(key.purpose)[0]?.kid !== after) return 'superseded'
      queue([leaf])
      keep(key)
      publish(keyEvent(key, key.createdAt))
      return 'added'
    },
    async revokeKey(purpose, kid, { at, leaf }) {
      const key = keysFor(purpose).find((each) => each.kid === kid)
      if (!key || key.revokedAt) return false
      queue([leaf])
      keys = keys.map((each) => (each === key ? { ...key, revokedAt: at } : each))
      publish(keyEvent(key, at))
      return true
    },
    keysFor: async (purpose) => keysFor(purpose),
    allKeys: async () => keys.toSorted(newestFirst),
    async forgetKeys(purpose, kids) {
      keys = keys.filter((key) => key.purpose !== purpose || !kids.includes(key.kid))
    },
    async resealKeys(changes) {
      const stored = changes.map(({ purpose, kid, from, to }) => {
        const key = keysFor(purpose).find((each) => each.kid === kid)
        return key && sameBytes(key.sealed, from) ? { key, to } : undefined
      })
      if (stored.includes(undefined)) return false
      keys = keys.map((key) => {
        const change = stored.find((each) => each?.key === key)
        return change ? { ...key, sealed: change.to } : key
      })
      return true
    },
  }
}

function newestFirst(a: SealedKey, b: SealedKey): number {
  return b.activeFrom.getTime() - a.activeFrom.getTime() || (a.kid < b.kid ? 1 : -1)
}
