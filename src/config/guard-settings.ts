/** How much may be asked of one replica, by whom, and how much at a time: settings, defaults and their bounds. */
import { z } from 'zod'

export interface GuardConfig {
  /** Undefined: nobody counts. */
  readonly rateLimits: RateLimits
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed, for counting and for nothing else. */
  readonly trustedProxies: readonly string[]
  readonly admission: AdmissionConfig
  /** More are closed as they come. */
  readonly mostConnections: number
}

/** Requests in ten seconds (failed sign-ins: in a minute, handshakes: in five) of one caller, operator or tenant; undefined: as many as come. */
export interface RateLimits {
  readonly challenges: number | undefined
  /** Of the Key Broker protocol: of each a row stays until it ends. */
  readonly handshakes: number | undefined
  readonly attestations: number | undefined
  readonly releases: number | undefined
  readonly public: number | undefined
  readonly operators: number | undefined
  readonly failedOperators: number | undefined
  readonly tenant: number | undefined
  /** Messages of one session, whoever carries them. */
  readonly session: number | undefined
  /** Messages of all sessions of a tenant. */
  readonly tenantSessions: number | undefined
  /** Messages of one caller that were of no session. */
  readonly refusedMessages: number | undefined
}

export interface AdmissionConfig {
  /** Attestations and appraisals at work at once. */
  readonly mostInFlight: number
  /** How many more may wait for one of those to end. */
  readonly mostWaiting: number
  /** Nothing more is admitted while much is asked and the event loop runs this late. */
  readonly mostLoopDelayMs: number
}

const MOST_REQUESTS = 10_000_000
const MOST_PROXIES = 64

const LIMIT = `must be 1 to ${MOST_REQUESTS} or off`
const limit = z
  .union(
    [
      z.literal('off'),
      z.int(),
      z
        .string()
        .regex(/^\d{1,8}$/)
        .transform(Number),
    ],
    LIMIT,
  )
  .refine((value) => value === 'off' || (value >= 1 && value <= MOST_REQUESTS), LIMIT)
  .transform((value) => (value === 'off' ? undefined : value))

function count(least: number, most: number) {
  const digits = z
    .string()
    .regex(/^\d{1,7}$/)
    .transform(Number)
  return z
    .union([z.int(), digits], `must be ${least} to ${most}`)
    .refine((number) => number >= least && number <= most, `must be ${least} to ${most}`)
}

const ADDRESSES = `must be at most ${MOST_PROXIES} addresses or CIDR ranges, as in 10.0.0.0/8,2001:db8::/32`
const addressOrRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])

/** In the file a list; as a variable the same with commas between. */
const proxies = z
  .union(
    [
      z.array(z.string()),
      z.string().transform((text) => text.split(',').map((part) => part.trim())),
    ],
    ADDRESSES,
  )
  .refine(
    (all) =>
      all.length <= MOST_PROXIES && all.every((each) => addressOrRange.safeParse(each).success),
    ADDRESSES,
  )

export const guardSettings = {
  /** An address of many agents: 100 of each in a second. */
  rateLimits: z
    .strictObject({
      challenges: limit.prefault(1000),
      handshakes: limit.prefault(3000),
      attestations: limit.prefault(1000),
      releases: limit.prefault(2000),
      public: limit.prefault(2000),
      operators: limit.prefault(1000),
      failedOperators: limit.prefault(30),
      tenant: limit.prefault(20_000),
      session: limit.prefault(60),
      tenantSessions: limit.prefault(200_000),
      refusedMessages: limit.prefault(300),
    })
    .prefault({}),
  trustedProxies: proxies.default([]),
  admission: z
    .strictObject({
      mostInFlight: count(1, 10_000).default(24),
      mostWaiting: count(0, 10_000).default(16),
      mostLoopDelayMs: count(5, 10_000).default(20),
    })
    .prefault({}),
  mostConnections: count(1, 1_000_000).default(4096),
}

export const guardDefaults: GuardConfig = z.strictObject(guardSettings).parse({})
