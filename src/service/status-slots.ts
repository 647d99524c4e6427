/** Which entry of a Token Status List is the next token's? Taken from the database in blocks, so that no token waits for another. */
import type { Clock, Random, Store } from './ports.ts'
import type { StatusBlock, StatusSlot } from './token-ports.ts'

export interface StatusSlots {
  /** `issuer`: URL of the issuer whose list it is. */
  readonly take: (issuer: string) => Promise<StatusSlot>
}

/** A replica that ends leaves at most two blocks unused: two thousandths of a list. */
export const STATUS_BLOCK = 1024
/** 128 KiB of bits. A list that is full is followed by the next, and empties as its tokens expire. */
export const STATUS_LIST_CAPACITY = 2 ** 20
/** The next block is asked for when so few are left: half a second's work at a thousand tokens a second. */
const LOW_WATER = STATUS_BLOCK / 2

export interface StatusSlotsParts {
  readonly store: Pick<Store, 'takeStatusBlock'>
  readonly clock: Clock
  readonly random: Random
}

/** What one issuer's tokens are given from, drawn from the end. */
interface Supply {
  readonly slots: StatusSlot[]
  coming: Promise<void> | undefined
}

/** `take` throws Problem('storage-unavailable') where a block is needed and cannot be had. */
export function statusSlots({ store, clock, random }: StatusSlotsParts): StatusSlots {
  const supplies = new Map<string, Supply>()

  function supplyOf(issuer: string): Supply {
    const known = supplies.get(issuer)
    if (known) return known
    const made: Supply = { slots: [], coming: undefined }
    supplies.set(issuer, made)
    return made
  }

  async function fetchBlock(issuer: string, { slots }: Supply): Promise<void> {
    const request = { size: STATUS_BLOCK, capacity: STATUS_LIST_CAPACITY, at: clock.now() }
    const block = await store.takeStatusBlock(issuer, request)
    // What is left of the block before goes first, being at the end.
    slots.unshift(...shuffled(block, random))
  }

  /** One question at a time, however many wait for it. */
  function replenish(issuer: string, supply: Supply): Promise<void> {
    supply.coming ??= fetchBlock(issuer, supply).finally(() => {
      supply.coming = undefined
    })
    return supply.coming
  }

  return {
    async take(issuer) {
      const supply = supplyOf(issuer)
      for (;;) {
        const slot = supply.slots.pop()
        if (!slot) {
          await replenish(issuer, supply)
          continue
        }
        // Nobody waits for this one: if it fails, whoever finds nothing left asks again and is told.
        if (supply.slots.length <= LOW_WATER) replenish(issuer, supply).catch(() => {})
        return slot
      }
    },
  }
}

/**
 * In an order that nobody can guess: the list is public, and an index that rises with every token would tell any holder of
 * two how many were issued between them, and whose came next (draft-ietf-oauth-status-list-17, Privacy Considerations, Unlinkability).
 */
function shuffled({ list, first, size }: StatusBlock, random: Random): readonly StatusSlot[] {
  const slots = Array.from({ length: size }, (_, place) => ({ list, index: first + place }))
  const chance = Buffer.from(random.bytes(4 * size))
  for (let last = size - 1; last > 0; last--) {
    // The bias of the remainder is below 2^-21.
    const other = chance.readUInt32BE(4 * last) % (last + 1)
    const [a, b] = [slots[last], slots[other]]
    if (a && b) [slots[last], slots[other]] = [b, a]
  }
  return slots
}
