/** Kinds of columns that drizzle has no word for. */
import { customType, timestamp } from 'drizzle-orm/pg-core'

export const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  // Drivers hand out a Buffer or a view into a larger one.
  fromDriver: (value) => new Uint8Array(value),
})

export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 })
