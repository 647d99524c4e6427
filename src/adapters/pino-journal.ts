/**
 * The operator's log: one JSON object per line, for people with `jq` and for collectors. Lines are written behind the
 * request's back and, when the process ends or throws, at once; what kill -9 leaves unwritten is lost.
 */
import { type DestinationStream, destination, pino } from 'pino'
import type { Journal, JournalEntry } from '../service/ports.ts'
import { causeLine } from './journal-cause.ts'

export interface JournalOptions {
  /** What is less than this is not told. */
  readonly level: JournalLevel
  /** A stream that takes whole lines, or a file descriptor. */
  readonly to: DestinationStream | number
}

export type JournalLevel = 'info' | 'warn' | 'error'

/** A collector that does not read must not fill this process's memory: lines beyond this are dropped. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024

export interface OpenJournal extends Journal {
  /** How many lines were not written because nobody read them. */
  readonly dropped: () => number
}

export function pinoJournal({ level, to }: JournalOptions): OpenJournal {
  let dropped = 0
  const logger = pino(
    {
      level,
      // No process id and host name: the collector knows from where it reads.
      base: null,
      // The entry's own time, which is the request's.
      timestamp: false,
      formatters: { level: (label) => ({ level: label }) },
    },
    typeof to === 'number' ? behind(to, () => dropped++) : to,
  )
  return { record: (entry) => logger[levelOf(entry)](lineOf(entry)), dropped: () => dropped }
}

/** Written without waiting; pino writes out what is left when the process ends or throws. */
function behind(fd: number, drop: () => void): DestinationStream {
  const stream = destination({ fd, sync: false, maxLength: MOST_WAITING_BYTES })
  stream.on('drop', drop)
  return stream
}

/** Everything that an entry holds, in the order in which people read it. */
function lineOf({ at, event, requestId, fields, cause }: JournalEntry): Record<string, unknown> {
  return {
    time: at.toISOString(),
    event,
    ...(requestId !== undefined && { requestId }),
    ...fields,
    ...(cause !== undefined && { cause: causeLine(cause) }),
  }
}

const levels: Readonly<Record<JournalEntry['event'], JournalLevel>> = {
  'attestation.issued': 'info',
  'attestation.refused': 'info',
  'request.refused': 'info',
  'request.failed': 'error',
  'policy.accepted': 'info',
  'policy.condition': 'warn',
  'policy.drift': 'info',
  'tokens.revoked': 'warn',
  'keys.rotated': 'info',
  'keys.revoked': 'warn',
  'resource.put': 'info',
  'resource.revoked': 'warn',
  'release.approved': 'info',
  'release.granted': 'info',
  'release.renewed': 'info',
  'release.refused': 'warn',
  'log.stopped': 'error',
  'log.resumed': 'info',
  'log.witnesses': 'warn',
  'clock.stepped': 'warn',
  'service.away': 'warn',
  'session.tokens': 'info',
  'session.opened': 'info',
  'session.changed': 'warn',
  'ban.changed': 'warn',
  'webhook.failing': 'warn',
  'webhook.delivers': 'info',
  'service.started': 'info',
  'service.stopped': 'info',
}

function levelOf({ event, fields }: JournalEntry): JournalLevel {
  return event === 'policy.condition' && fields?.condition === 'Synced' ? 'info' : levels[event]
}
