/** Do docs/transparency.md and docs/revocation.md name all that is logged and told? */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { LeafKind } from '#src/service/log-ports.ts'
import type { EventKind } from '#src/service/token-ports.ts'

const textOf = (name: string) =>
  readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8')

const leaves = {
  ...{ policy: true, issuance: true, denials: true, revocation: true },
  ...{ keys: true, release: true, resource: true, session: true },
} satisfies Readonly<Record<Exclude<LeafKind, 'denial'>, true>>

const events = {
  ...{ 'token.revoked': true, 'policy.accepted': true, 'keys.changed': true },
  ...{ 'session.changed': true, 'ban.changed': true },
} satisfies Readonly<Record<EventKind, true>>

test.each(Object.keys(leaves))('every kind of leaf has a row: %s', (kind) => {
  expect(textOf('transparency')).toContain(`\n| \`${kind}\` | `)
})

test.each(Object.keys(events))('every kind of event is named: %s', (kind) => {
  expect(textOf('revocation')).toContain(`\`${kind}\``)
})
