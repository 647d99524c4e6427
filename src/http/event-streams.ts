/** Who follows events at this moment, and how many may? Streams stay open, so each class of reader has its own bound. */
import { Problem } from '../problems.ts'
import type { Verifier } from '../service/verifier.ts'
import { type EventStream, eventStream, type StreamTerms } from './event-stream.ts'

export interface StreamRequest extends Omit<StreamTerms, 'ended'> {
  /** `operator vera`, `caller 192.0.2.7`: whose streams these are. */
  readonly reader: string
  readonly most: number
  /** With others of its kind, whoever they are. */
  readonly room: string
  readonly mostInRoom: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface EventStreams {
  /** Throws Problem('too-many-requests'). */
  readonly open: (
    verifier: Pick<Verifier, 'store' | 'events' | 'clock'>,
    request: StreamRequest,
  ) => Response
  readonly count: () => number
  /** Ends them all, and opens none any more: a server that closes would wait for them. */
  readonly end: () => void
}

interface OpenStream {
  readonly reader: string
  readonly room: string
  readonly stream: EventStream
}

export function eventStreams(): EventStreams {
  const running = new Set<OpenStream>()
  let isEnding = false

  function assertRoom({ reader, most, room, mostInRoom }: StreamRequest): void {
    const of = (property: 'reader' | 'room', name: string) =>
      [...running].filter((each) => each[property] === name).length
    if (isEnding || of('reader', reader) >= most || of('room', room) >= mostInRoom)
      throw new Problem(
        'too-many-requests',
        isEnding
          ? 'the service is stopping'
          : `at most ${most} event streams are open at once for one reader, and ${mostInRoom} for all of them`,
        { retryAfterSeconds: isEnding ? 1 : 10 },
      )
  }

  return {
    open(verifier, request) {
      assertRoom(request)
      const stream = eventStream(verifier, { ...request, ended: () => running.delete(one) })
      const one: OpenStream = { reader: request.reader, room: request.room, stream }
      running.add(one)
      return new Response(stream.body, {
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          // A connection that has ended is over, and a server that stops need not wait for another request on it.
          connection: 'close',
          // nginx would hold events back until its buffer is full.
          'x-accel-buffering': 'no',
          ...request.headers,
        },
      })
    },
    count: () => running.size,
    end() {
      isEnding = true
      for (const { stream } of [...running]) stream.end()
    },
  }
}
