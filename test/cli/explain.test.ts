/** What does `vouchsafe explain` make of a service's answers? */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { explainCommand } from '#src/cli/explain.ts'
import { attestAt } from '../http/attempt.ts'
import { attester, type RunningService, runService, tokens } from '../http/running-service.ts'
import { removeScratch, scratchFolder } from './policy-tools.ts'

let service: RunningService
let tokenFile: string
let refused: Awaited<ReturnType<typeof attestAt>>
let issued: Awaited<ReturnType<typeof attestAt>>
beforeAll(async () => {
  service = await runService()
  tokenFile = join(scratchFolder(), 'token')
  writeFileSync(tokenFile, `${tokens.viewer}\n`)
  issued = await attestAt(service)
  refused = await attestAt(service, { attester: attester(new Uint8Array(48).fill(0xee)) })
})
afterAll(async () => {
  await service.close()
  removeScratch()
})

async function explain(...args: readonly string[]) {
  let out = ''
  let err = ''
  const code = await explainCommand(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    colour: false,
    files: localFiles,
    fetch: globalThis.fetch,
  })
  return { code, out, err }
}
const asked = (id: string, ...more: readonly string[]) =>
  explain(id, '--url', service.url, '--token-file', tokenFile, ...more)

describe('a decision', () => {
  test('that refused is explained with both sides, the line and what to do, by either id', async () => {
    const { code, out } = await asked(refused.json.appraisal)
    expect(code).toBe(0)
    expect(out).toMatch(/^verdict {4}REFUSED at appraisal\n/)
    expect(out).toContain('check      snp.measurement.expected (')
    expect(out).toContain(`observed   ${'ee'.repeat(48)}`)
    expect(out).toContain(`expected   ${'a1'.repeat(48)}`)
    expect(out).toContain('nearest    reference value current, line 15')
    expect(out).toContain('differs    measurement, line 17 of the manifest')
    expect(out).toContain('policy     agents/prod/invoice-bot.yaml:17 at commit cccccccccccc')
    expect(out).toContain('committed by alice in bbbbbbbbbbbb')
    expect(out).toContain('next       Run what was approved')
    expect(await asked(refused.json.requestId)).toMatchObject({ code: 0, out })
  })

  test('that granted says for whom, and how far it is trusted', async () => {
    const { code, out } = await asked(issued.json.id)
    expect(code).toBe(0)
    expect(out).toMatch(/^verdict {4}TOKENS ISSUED, \w+\n/)
    expect(out).toMatch(/\ntoken {6}possession for kms\.example, until 2026-/)
    expect(out).toMatch(/\nlog {8}leaf [0-9a-f]{64} waits for its number\n/)
  })

  test('as JSON is what the service answers', async () => {
    const { code, out } = await asked(refused.json.appraisal, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      id: refused.json.appraisal,
      verdict: 'refused',
      refusal: { failing: ['snp.measurement.expected'] },
    })
  })
})

describe('it could not tell', () => {
  test.each<[string, readonly string[], string]>([
    ['of nothing', [], 'ID is missing'],
    ['of two', ['a', 'b'], 'One ID is taken at a time'],
    ['of a path', ['../policies'], 'ID is no id'],
    ['without a service', ['a'], '--url is missing'],
    ['of what is not kept', ['a', '--url', 'URL', '--token-file', 'TOKEN'], 'appraisal-unknown'],
    ['without a token', ['a', '--url', 'URL'], '--token-file is missing'],
    ['over plain http', ['a', '--url', 'http://x.example'], 'no https address'],
  ])('%s', async (_, args, says) => {
    const given = args.map((arg) =>
      arg === 'URL' ? service.url : arg === 'TOKEN' ? tokenFile : arg,
    )
    const { code, err } = await explain(...given)
    expect(code).toBe(1)
    expect(err).toContain(says)
    expect(err).toContain('What to do:')
  })

  test('with --json the reason is an object', async () => {
    const { code, out } = await asked('unknown', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(out).error).toMatchObject({ detail: expect.stringContaining('404') })
  })
})

test('--help says what it takes and how it ends', async () => {
  const { code, out } = await explain('--help')
  expect(code).toBe(0)
  expect(out).toContain('Exits 0 ')
})
