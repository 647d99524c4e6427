/**
 * Which trace does a request belong to? W3C Trace Context (https://www.w3.org/TR/trace-context/): what the caller or a proxy
 * says in `traceparent` goes into the lines of the log that are about this request, so that both can be found together.
 * Nothing else is done with it: whoever sends it may name any trace.
 */
import type { Journal } from '../service/ports.ts'

export interface Traces {
  /** Records what the given journal records, with the trace of the request that it is about. */
  readonly journal: Journal
  /** To be called when a request comes in, with the header as it was sent; what it returns, once it is answered. */
  readonly begin: (requestId: string, traceparent: string | null) => () => void
}

interface Trace {
  readonly traceId: string
  readonly parentId: string
}

export function traces(journal: Journal): Traces {
  /** Of requests that are under way, and so never more than those. */
  const known = new Map<string, Trace>()
  return {
    journal: {
      record(entry) {
        const { requestId, fields } = entry
        const trace = requestId === undefined ? undefined : known.get(requestId)
        journal.record(trace ? { ...entry, fields: { ...fields, ...trace } } : entry)
      },
    },
    begin(requestId, traceparent) {
      const trace = traceparent === null ? undefined : traceOf(traceparent)
      if (!trace) return () => {}
      known.set(requestId, trace)
      return () => known.delete(requestId)
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
