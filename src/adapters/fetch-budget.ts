/**
 * Every request to a vendor goes through here: what it is known not to have is not asked again, a host that failed is
 * left alone for a while, and fetches that unauthenticated evidence brings about draw on a small budget per host.
 * A failure is always Problem('collateral-unavailable'), with the seconds after which asking again makes sense.
 */
import { Problem } from '../problems.ts'
import type { Fetch, FetchResponse } from '../service/endorsement-source.ts'
import type { Clock, Random } from '../service/ports.ts'
import { type Absent, type AbsentSettings, absent } from './fetch-budget-absent.ts'
import { type TokenBucket, type TokenBucketSettings, tokenBucket } from './fetch-budget-bucket.ts'
import { type Circuit, circuit, retryAfterSeconds } from './fetch-budget-circuit.ts'
import { jitter } from './fetch-budget-jitter.ts'

export interface FetchBudgetPorts {
  readonly fetch: Fetch
  readonly clock: Clock
  /** For jitter only. */
  readonly random: Random
}

export interface FetchBudgetSettings {
  readonly timeoutMs: number
  /** For evidence that does not bring its VEK, and for platform families not seen before. Per host. */
  readonly unknown: TokenBucketSettings
  readonly absent: AbsentSettings
}

/** AMD KDS answers one VCEK request in about 10 s to one address. */
export const usualFetchBudget: FetchBudgetSettings = {
  timeoutMs: 10_000,
  unknown: { burst: 3, refillSeconds: 10 },
  absent: { seconds: 3600, most: 4096 },
}

export interface Errand<T> {
  /** What is fetched: the key under which its absence is remembered. */
  readonly name: string
  /** For people. */
  readonly title: string
  readonly vendor: string
  readonly url: string
  readonly maxBytes: number
  /** A vendor may truly not have it, so that a 404 is an answer and not a failure. */
  readonly mayBeAbsent: boolean
  /** Brought about by evidence that nobody authenticated. */
  readonly drawsOnBudget: boolean
  /** Throws for an answer that cannot be what was asked for, which counts as a failure of the host. */
  readonly read: (response: FetchResponse) => T
}

export interface FetchBudget {
  /** Throws Problem('collateral-unavailable'). */
  readonly run: <T>(errand: Errand<T>) => Promise<T>
}

/**
 * Documents that evidence names have a circuit of their own: whoever finds a chip id over which the vendor stumbles must
 * not keep us from the next revocation list.
 */
interface Host {
  readonly named: Circuit
  readonly fixed: Circuit
  readonly unknown: TokenBucket
}

/** What a vendor answers for a chip, TCB or FMSPC that it does not know. KDS says 400 where a TCB is out of its range. */
const ABSENT = new Set([400, 404, 410])

export function fetchBudget(ports: FetchBudgetPorts, settings: FetchBudgetSettings): FetchBudget {
  const hosts = new Map<string, Host>()
  const absences = absent(settings.absent)

  function hostOf(url: string): Host {
    const { host } = new URL(url)
    const known = hosts.get(host) ?? {
      named: circuit(() => jitter(ports.random)),
      fixed: circuit(() => jitter(ports.random)),
      unknown: tokenBucket(settings.unknown),
    }
    // Hosts come from the configuration alone, so there are two or three.
    hosts.set(host, known)
    return known
  }

  return {
    async run(errand) {
      const host = hostOf(errand.url)
      admit(errand, { host, absences, at: ports.clock.now() })
      circuitOf(host, errand).started()
      try {
        const { maxBytes, url } = errand
        const response = await ports.fetch({ url, maxBytes, timeoutMs: settings.timeoutMs })
        const read = readAnswer(errand, response, ports.clock.now())
        circuitOf(host, errand).succeeded()
        absences.forget(errand.name)
        return read
      } catch (cause) {
        throw setback(errand, cause, { host, absences, at: ports.clock.now() })
      }
    },
  }
}

function circuitOf({ named, fixed }: Host, { mayBeAbsent }: Errand<unknown>): Circuit {
  return mayBeAbsent ? named : fixed
}

interface Standing {
  readonly host: Host
  readonly absences: Absent
  readonly at: Date
}

/** The budget comes last, so that no token is spent on a request that would not go out. */
function admit(errand: Errand<unknown>, { host, absences, at }: Standing): void {
  const absentFor = absences.secondsLeft(errand.name, at)
  if (absentFor > 0) throw unavailable(errand, notPublished, absentFor)
  const closedFor = circuitOf(host, errand).secondsClosed(at)
  if (closedFor > 0)
    throw unavailable(
      errand,
      { reason: 'failed', sentence: 'the service failed and is left alone for now' },
      closedFor,
    )
  const emptyFor = errand.drawsOnBudget ? host.unknown.take(at) : 0
  if (emptyFor > 0)
    throw unavailable(
      errand,
      {
        reason: 'budget-spent',
        sentence:
          'the budget for unknown chips and platforms is spent; bring the endorsement with the evidence',
      },
      emptyFor,
    )
}

/** `reason` is a member of the problem, for programs. */
interface Reason {
  readonly reason: 'not-published' | 'failed' | 'budget-spent'
  readonly sentence: string
}

const notPublished: Reason = {
  reason: 'not-published',
  sentence: 'the service says that it has no such document',
}

/** The vendor knows of no such thing. */
class NotPublished extends Error {}

/** The host did not do its part. */
class Failed extends Error {
  readonly status: number
  readonly retryAfterSeconds: number | undefined
  constructor(message: string, status: number, retryAfterSeconds: number | undefined) {
    super(message)
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Too many requests, service unavailable: about all that we ask of this host, and not about one document. */
const ABOUT_THE_HOST = new Set([429, 503])

function readAnswer<T>(errand: Errand<T>, response: FetchResponse, at: Date): T {
  const { status, headers } = response
  if (status === 200) return errand.read(response)
  if (errand.mayBeAbsent && ABSENT.has(status)) throw new NotPublished()
  throw new Failed(
    status >= 300 && status < 400
      ? `it answered with status ${status}; redirects are not followed, because only configuration names addresses`
      : `it answered with status ${status}`,
    status,
    retryAfterSeconds(headers.get('retry-after'), at),
  )
}

function setback(errand: Errand<unknown>, cause: unknown, standing: Standing): Problem {
  const { host, absences, at } = standing
  if (cause instanceof NotPublished) {
    // The host did its part.
    circuitOf(host, errand).succeeded()
    absences.remember(errand.name, at)
    return unavailable(errand, notPublished, absences.secondsLeft(errand.name, at))
  }
  const { status = 0, retryAfterSeconds } = cause instanceof Failed ? cause : {}
  const closed = ABOUT_THE_HOST.has(status) ? [host.named, host.fixed] : [circuitOf(host, errand)]
  const seconds = closed.map((each) => each.failed(at, retryAfterSeconds))
  const failure: Reason = { reason: 'failed', sentence: sentenceOf(cause) }
  return unavailable(errand, failure, Math.max(...seconds), cause)
}

function unavailable(
  { vendor, title }: Errand<unknown>,
  { reason, sentence }: Reason,
  seconds: number,
  cause?: unknown,
): Problem {
  return new Problem(
    'collateral-unavailable',
    `${title} could not be had from ${vendor}: ${sentence}`,
    {
      members: { vendor, reason },
      retryAfterSeconds: Math.max(1, Math.ceil(seconds)),
      cause,
    },
  )
}

/** `fetch` wraps what went wrong on the way ("fetch failed") around the error that says what it was. */
function sentenceOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === 'TimeoutError') return 'no whole answer came in time'
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message
}
