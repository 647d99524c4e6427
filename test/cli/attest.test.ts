/** `vouchsafe attest` against a running service: tokens, refusals, and a secret that goes into a file and nowhere else. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attestCommand } from '#src/cli/attest.ts'
import { attestHere, writeSecret } from '#src/compose/attest.ts'
import { measureAgent, readAgent, simulatedSnp } from '../../enclave/simulator/agent.ts'
import { keptChipKey, keptMachineText, withChipKey } from '../../enclave/simulator/kept-machine.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import {
  bearer,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { output } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-attest-'))
const agent = join(folder, 'agent')
const machine = join(folder, 'machine.json')
let service: RunningService

beforeAll(async () => {
  mkdirSync(agent)
  writeFileSync(join(agent, 'main.py'), 'print("hello")\n')
  const measurement = Buffer.from(measureAgent(readAgent(agent))).toString('hex')
  service = await runService()
  service.policy.current = await policyOf(
    manifest((text) => `${text.replace('a1'.repeat(48), measurement)}${releasing(service)}`),
  )
  // The vendor that the service knows, and one more chip of it.
  const privateKey = keptChipKey()
  const chance = withChipKey(seededChance('service tests'), privateKey)
  const platform = simulatedSnp({ chance, issued: new Date('2026-01-01T00:00:00Z') })
  writeFileSync(machine, keptMachineText({ product: 'Genoa', platform, chance, privateKey }))
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

function releasing({ url }: RunningService): string {
  return `    - audience: ${url}\n      ttl: 240s\n      scopes: ["secret:db-ro"]\n`
}

async function attesting(...args: string[]) {
  const { written, out, err } = output()
  const all = ['--service', service.url, '--agent', 'invoice-bot', ...args]
  const code = await attestCommand(all, { out, err, attest: attestHere, writeSecret })
  return { code, ...written }
}
const simulated = () => ['--simulator', agent, '--machine', machine]

describe('attest', () => {
  test('prints the token of an approved agent', async () => {
    const { code, out } = await attesting(...simulated(), '--audience', 'kms.example')
    expect(code).toBe(0)
    expect(out).toMatch(/^Tokens of .*\/simulated\npossession for kms.example\neyJ/)
  })

  test('prints an object for programs', async () => {
    const { code, out } = await attesting(...simulated(), '--json', '--audience', 'kms.example')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'issued',
      issuer: service.simulated,
      tokens: [
        { form: 'possession', audience: 'kms.example', token: expect.stringMatching(/^eyJ/) },
      ],
    })
  })

  test('is refused with one file changed, and says why', async () => {
    writeFileSync(join(agent, 'extra.py'), '')
    const { code, out } = await attesting(...simulated(), '--audience', 'kms.example')
    rmSync(join(agent, 'extra.py'))
    expect(code).toBe(2)
    expect(out).toContain('REFUSED 403 evidence-rejected')
    expect(out).toContain('failing: snp.measurement.expected')
    expect(out).toContain('What to do: Run what was approved')
  })

  test('says where it could not tell', async () => {
    expect(await attesting()).toMatchObject({
      code: 1,
      err: expect.stringContaining('no TSM interface'),
    })
    const closed = await attestCommand(
      ['--service', 'http://10.0.0.1', '--agent', 'a', ...simulated()],
      { ...output(), attest: attestHere, writeSecret },
    )
    expect(closed).toBe(1)
  })

  test.each([
    [['--release', 'secret:db-ro'], '--out is missing'],
    [['--out', 'x'], '--out is for a secret'],
    [['--release', 'secret:db-ro', '--out', 'x', '--minimum-version', '0'], 'is no version'],
    [['--machine', 'x'], '--machine is of a simulated machine'],
    [['stray'], 'takes no stray'],
    [['--simulator', agent, '--machine', '/nowhere'], '--machine /nowhere cannot be read'],
    [['--simulator', agent, '--machine', join(agent, 'main.py')], 'it holds no simulated machine'],
  ])('%j is a mistake', async (args, sentence) => {
    const { code, err } = await attesting(...args)
    expect(code).toBe(1)
    expect(err).toContain(sentence)
  })
})

describe('a secret', () => {
  test('goes into a file, and nothing of it to where the command writes', async () => {
    const secret = 'correct horse battery staple'
    const file = join(folder, 'released')
    const asked = [...simulated(), '--release', 'secret:db-ro', '--out', file]
    expect(await attesting(...asked)).toMatchObject({ code: 1, out: '' })
    const base64 = Buffer.from(secret).toString('base64')
    const body = { name: 'secret:db-ro', secret: base64, acceptsSimulated: true }
    await post(`${service.url}/v1/resources`, JSON.stringify(body), bearer('secret-admin'))
    const { code, out, err } = await attesting(...asked)
    expect(code).toBe(0)
    expect(out).toContain(`secret:db-ro version 1 is in ${file}; its lease is `)
    expect(`${out}${err}`).not.toContain(secret)
    expect(readFileSync(file, 'utf8')).toBe(secret)
    expect(statSync(file).mode & 0o777).toBe(0o600)

    const again = await attesting(...asked, '--json')
    expect(again.code).toBe(1)
    expect(JSON.parse(again.out).error.detail).toContain('is there already')
    expect(again.out).not.toContain(Buffer.from(secret).toString('base64'))
  })

  test('that no rule names is refused', async () => {
    const file = join(folder, 'never')
    const { code, out } = await attesting(...simulated(), '--release', 'secret:no', '--out', file)
    expect([code, out.split('\n')[0]]).toEqual([2, 'REFUSED 403 release-refused'])
  })

  test('of which there is none as new as was asked for is refused', async () => {
    const asked = [...simulated(), '--release', 'secret:db-ro', '--out', join(folder, 'never')]
    const { code, out } = await attesting(...asked, '--minimum-version', '9')
    expect([code, out.split('\n')[0]]).toEqual([2, 'REFUSED 404 resource-version-unavailable'])
  })

  test('is written for its owner alone, and never over a file that is there', async () => {
    const file = join(folder, 'secret')
    await writeSecret(file, Buffer.from('hush'))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await expect(writeSecret(file, Buffer.from('other'))).rejects.toMatchObject({ code: 'EEXIST' })
    expect(readFileSync(file, 'utf8')).toBe('hush')
  })
})
