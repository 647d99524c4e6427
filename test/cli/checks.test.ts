/** Does `vouchsafe checks` list what the TEEs check, and nothing else? */
import { expect, it } from 'vitest'
import { z } from 'zod'
import { checksCommand } from '../../src/cli/checks.ts'
import { checkIds } from '../../src/rats/appraisal.ts'
import { tees } from '../../src/tee/registry.ts'
import { output } from './command.ts'

async function run(...args: string[]) {
  const { written, out, err } = output()
  const code = await checksCommand(args, { out, err })
  return { code, ...written }
}

const Listing = z.array(
  z.strictObject({
    tee: z.string(),
    checks: z.array(
      z.strictObject({
        id: z.string(),
        phase: z.enum(['structure', 'authenticate', 'appraise']),
        informs: z.string(),
        waivable: z.enum(['revocation', 'tcb', 'attributes']).nullable(),
        cites: z.string().min(1),
      }),
    ),
    profiles: z.record(z.string(), z.record(z.string(), z.string().min(1))),
  }),
)

it('lists the checks of every TEE in their order', async () => {
  const { code, out } = await run('--json')
  expect(code).toBe(0)
  const listing = Listing.parse(JSON.parse(out))
  expect(listing.map(({ tee, checks }) => [tee, checks.map(({ id }) => id)])).toEqual(
    tees.map((tee) => [tee.name, checkIds(tee)]),
  )
})

it('lists those of one', async () => {
  const { out } = await run('tdx')
  expect(out.match(/^## .*$/gm)).toEqual(['## tdx'])
})

it('never lists signature, chain, binding, structure or debug as waivable', async () => {
  const waivable = Listing.parse(JSON.parse((await run('--json')).out))
    .flatMap(({ checks }) => checks)
    .filter((check) => check.waivable !== null)
  expect(waivable.length).toBeGreaterThan(5)
  expect(
    waivable.filter(
      ({ id, phase }) =>
        phase === 'structure' || /signature|chain\.|binding|debug|report-data|not-revoked/.test(id),
    ),
  ).toEqual([])
})

it('names what a profile waives, and every such check exists and may be waived', async () => {
  for (const { checks, profiles } of Listing.parse(JSON.parse((await run('--json')).out)))
    for (const waived of Object.values(profiles).flatMap((profile) => Object.keys(profile)))
      expect(checks.find(({ id }) => id === waived)?.waivable).toEqual(expect.any(String))
})

it('could not tell for a TEE that it does not know', async () => {
  const { code, out, err } = await run('arm-cca')
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(/arm-cca is not a TEE.*\nWhat to do: Choose among sev-snp, tdx, sgx/)
})
