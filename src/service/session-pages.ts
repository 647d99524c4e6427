/** Sessions of a tenant, however many, a page at a time. */
import type { Store } from './ports.ts'
import type { SessionPage, SessionRecord } from './session-ports.ts'

const PAGE = 200

export async function* sessionPages(
  store: Pick<Store, 'sessionsOf'>,
  tenant: string,
  selection: Omit<SessionPage, 'limit' | 'after'>,
): AsyncGenerator<readonly SessionRecord[]> {
  let after: string | undefined
  for (;;) {
    const page = await store.sessionsOf(tenant, { ...selection, limit: PAGE, after })
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    after = page.at(-1)?.id
  }
}
