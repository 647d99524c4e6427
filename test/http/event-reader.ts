/** A reader of server-sent events by the HTML Standard's section 9.2.6, on plain fetch: what a relying party writes in an afternoon. */
export interface ReadEvent {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

export interface EventReader {
  readonly status: number
  readonly headers: Headers
  /** Resolves to undefined when the stream has ended, and rejects when it was broken off. */
  readonly next: () => Promise<ReadEvent | undefined>
  /** As a browser's EventSource would send it when it comes back. */
  readonly lastEventId: () => string
  readonly comments: readonly string[]
  readonly close: () => Promise<void>
}

export async function readEvents(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventReader> {
  const controller = new AbortController()
  const response = await fetch(url, { headers, signal: controller.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const comments: string[] = []
  let text = ''
  let lastId = ''

  async function block(): Promise<string | undefined> {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const found = text.slice(0, end)
        text = text.slice(end + 2)
        return found
      }
      const chunk = await reader?.read()
      if (!chunk || chunk.done) return undefined
      text += chunk.value
    }
  }

  return {
    status: response.status,
    headers: response.headers,
    comments,
    lastEventId: () => lastId,
    async next() {
      for (;;) {
        const found = await block()
        if (found === undefined) return undefined
        let [event, data] = ['message', '']
        for (const line of found.split('\n')) {
          const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
          if (field === '') comments.push(value)
          else if (field === 'id') lastId = value
          else if (field === 'event') event = value
          else if (field === 'data') data += value
        }
        if (data !== '') return { id: lastId, event, data: JSON.parse(data) }
      }
    },
    async close() {
      controller.abort()
      await reader?.cancel().catch(() => {})
    },
  }
}
