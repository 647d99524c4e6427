/** How long do tokens get? They travel in headers, of which many servers take 8 KiB (nginx, Apache httpd) and others less than 16. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audiences, type Issuing, issuing, oneOf } from './issuing.ts'

const digest = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`
const long = (n: number) => `${String(n).padStart(3, '0')}${'x'.repeat(60)}`

/** As much of everything as a manifest may hold. */
const everything = (text: string) =>
  text
    .replace(
      'spec:\n',
      `spec:\n  artifacts:\n${Array.from({ length: 256 }, (_, n) => `    - {name: ${long(n)}, kind: image, digest: "${digest(n)}"}\n`).join('')}`,
    )
    .replaceAll('"secret:db-ro"', scopes)
    .replace('ttl: 240s', `ttl: 240s\n      scopes: [${scopes}]`)

const scopes = Array.from({ length: 7 }, (_, n) => `"secret:${'s'.repeat(126)}${n + 10}"`).join(
  ', ',
)

describe.each([
  // Base64 of claims, header and signature; what was measured, with a tenth to spare.
  [
    'a usual manifest',
    (text: string) => text,
    { possession: 3600, federation: 4500, workload: 3600 },
  ],
  ['the fullest manifest', everything, { possession: 8190, federation: 8190, workload: 5700 }],
] as const)('under %s', (_, change, most) => {
  let from: Issuing
  beforeAll(async () => {
    from = await issuing(change)
  }, 30_000)
  afterAll(() => from.close())

  test.each(Object.entries(most))(
    'a token of form %s has at most %i characters',
    async (form, limit) => {
      const { token } = await oneOf(from, audiences[form as keyof typeof audiences])
      expect(token.length).toBeLessThanOrEqual(limit)
      expect(token.length).toBeGreaterThan(limit / 2)
    },
  )
})
