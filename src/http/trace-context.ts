/**
 * Which trace does a request belong to? W3C Trace Context (https://www.w3.org/TR/trace-context/): what the caller or a proxy
 * says in `traceparent` goes into the lines of the log that are about this request, so that both can be found together, and
 * into its span, where spans are exported. Nothing else is done with it: whoever sends it may name any trace.
 */
import type { Journal } from '../service/ports.ts'
import type { Span, Spans } from '../service/span-ports.ts'

export interface Traces {
  /** Records what the given journal records, with the trace of the request that it is about. */
  readonly journal: Journal
  /** To be called when a request comes in; what it returns, once it is answered. */
  readonly begin: (request: TracedRequest) => (status: number) => void
}

export interface TracedRequest {
  readonly requestId: string
  readonly method: string
  /** As the contract writes it. */
  readonly route: string
  /** As it was sent. */
  readonly traceparent: string | null
}

interface Trace {
  readonly traceId: string
  readonly parentId: string
}

/** `spans` undefined: none are exported. */
export function traces(journal: Journal, spans?: Spans): Traces {
  /** Of requests that are under way, and so never more than those. */
  const known = new Map<string, Trace>()
  const open = new Map<string, Span>()
  return {
    journal: {
      record(entry) {
        const { requestId, fields, event } = entry
        if (requestId !== undefined) open.get(requestId)?.event(event, fields ?? {})
        const trace = requestId === undefined ? undefined : known.get(requestId)
        journal.record(trace ? { ...entry, fields: { ...fields, ...trace } } : entry)
      },
    },
    begin({ requestId, method, route, traceparent }) {
      const parent = traceparent === null ? undefined : traceOf(traceparent)
      const span = spans?.begin({ method, route, requestId, parent })
      if (parent) known.set(requestId, parent)
      if (span) open.set(requestId, span)
      return (status) => {
        span?.end(status)
        known.delete(requestId)
        open.delete(requestId)
      }
    },
  }
}

/** Section 3.2.2: version, trace id, parent id, flags. Later versions may have more behind; all zeros are no id. */
function traceOf(header: string): Trace | undefined {
  if (header.length > 256) return undefined
  const [, version, traceId = '', parentId = '', more] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(header) ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined))
    return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined
  return { traceId, parentId }
}
