/** What a changed manifest lets an agent load, told to whoever compares two policies. */
import { expect, test } from 'vitest'
import { comparisonText, manifestsThatDiffer } from '#src/cli/policy-comparison-text.ts'
import { listLine, listOf } from '#src/policy/documents/measurement-list.ts'
import { valid } from '../manifests.ts'
import { policyOf } from '../policies.ts'
import { everybody, file, root } from '../trust-documents.ts'
import { digest } from './subjects.ts'

const trust = [file('trust/root.yaml', root), file('trust/allowed_signers', everybody)]
const nothing = { examined: 0, unexaminable: 0, changed: 0, entries: [] }

async function watched(octets: readonly string[], more = '') {
  const list = listOf(octets.map((octet) => listLine('code', digest(octet), `/opt/${octet}.js`)))
  const section = `  runtime:\n    lists: ["sha256:${list.sha256}"]\n${more}  release:`
  return await policyOf([
    ...trust,
    file('agents/prod/invoice-bot.yaml', valid.replace('  release:', section)),
    file(list.file, list.text),
  ])
}

test('lines that a new list adds and drops are named, what both have is not', async () => {
  const anywhere = `    measurements: [{kind: library, digest: "${digest('0a')}"}]\n`
  const manifests = manifestsThatDiffer(
    await watched(['01', '02']),
    await watched(['02', '03'], anywhere),
  )
  expect(comparisonText({ ...nothing, manifests }, false)).toContain(
    `changed  agents/prod/invoice-bot.yaml
         may load now: code ${'03'.repeat(32)}  /opt/03.js
         may load now: library ${'0a'.repeat(32)}  (anywhere)
         may no longer load: code ${'01'.repeat(32)}  /opt/01.js
`,
  )
})

test('of thousands the first few are named and the rest is counted', async () => {
  const many = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))
  const manifests = manifestsThatDiffer(await watched(['00']), await watched(many))
  const text = comparisonText({ ...nothing, manifests }, false)
  expect(text.match(/may load now/g)).toHaveLength(9)
  expect(text).toContain('may load now: 91 more')
})
