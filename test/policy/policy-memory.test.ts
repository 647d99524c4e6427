/** What did not change since the policy in force is not read again, and nothing that did is believed to be the same. */
import { describe, expect, test, vi } from 'vitest'
import type { PolicyFile } from '#src/policy/policy.ts'
import { config, valid } from './manifests.ts'
import { bot, claimSchemas, policyOf, prepare, read, readme, rule, twin } from './policies.ts'
import { file, trust } from './trust-documents.ts'

describe('what did not change is not read again', () => {
  const changed = (of: PolicyFile, from: string, to: string) =>
    file(of.path, new TextDecoder().decode(of.bytes).replace(from, to))

  test('a manifest, but one that did', async () => {
    const previous = await policyOf([...trust, bot, twin])
    const after = await policyOf([...trust, bot, changed(twin, '42', '43')], { previous })
    expect(after.releaseOf('prod', 'invoice-bot')).toBe(previous.releaseOf('prod', 'invoice-bot'))
    expect(after.releaseOf('prod', 'twin')?.generation).toBe(43)
  })

  test('and the order stays that of the files', async () => {
    const previous = await policyOf([...trust, bot, twin])
    const after = await policyOf([...trust, changed(bot, '42', '43'), twin], { previous })
    expect(after.releases.map(({ agent }) => agent)).toEqual(['invoice-bot', 'twin'])
  })

  test('a manifest whose content moved to another name is another', async () => {
    const previous = await policyOf([...trust, bot, twin])
    expect(
      await read([...trust, bot, file('agents/prod/copy.yaml', twin.bytes)], { previous }),
    ).toMatchObject({ condition: 'SchemaInvalid' })
  })

  test('a manifest whose configuration changed is read again', async () => {
    const text = valid.replace('  release:', `  runtimeConfig: ${config.path}\n  release:`)
    const own = file(bot.path, text)
    const previous = await policyOf([...trust, own, config])
    const same = await policyOf([...trust, own, config], { previous })
    expect(same.releases[0]).toBe(previous.releases[0])
    const after = await policyOf([...trust, own, file(config.path, '{}')], { previous })
    expect(after.releases[0]?.runtimeConfig?.names).toEqual(new Set())
    expect(await read([...trust, own], { previous })).toMatchObject({ condition: 'SchemaInvalid' })
  })

  test('a manifest whose waiver is none any more is read again', async () => {
    const text = valid.replace(
      '  release:',
      '  waivers: [{check: revocation, reason: offline}]\n  release:',
    )
    const files = [...trust, file(bot.path, text)]
    const previous = await policyOf(files)
    expect(await read(files, { previous, waivable: new Set() })).toMatchObject({
      condition: 'SchemaInvalid',
    })
  })

  test('rules, unless they, the claims or the engine changed', async () => {
    const files = [...trust, bot, rule]
    const previous = await policyOf(files)
    prepare.mockClear()
    const schemas = new Map(claimSchemas)
    const after = await policyOf([...files, readme], { previous, claimSchemas: schemas })
    expect(after.rules).toBe(previous.rules)
    expect(prepare).not.toHaveBeenCalled()

    const further = changed(rule, 'not in dev', 'no')
    expect((await policyOf([...trust, bot, further], { previous })).rules).not.toBe(previous.rules)
    await policyOf(files, { previous, claimSchemas: new Map([['sev-snp', {}]]) })
    await policyOf(files, { previous, engine: { prepare } })
    expect(prepare).toHaveBeenCalledTimes(3)
  })

  test('a policy that was made up remembers nothing', async () => {
    const previous = { ...(await policyOf([...trust, bot])) }
    expect((await policyOf([...trust, bot], { previous })).releases[0]).not.toBe(
      previous.releases[0],
    )
  })
})

test('others have their turn while a large commit is read', async () => {
  const many = Array.from({ length: 400 }, (_, n) =>
    file(`agents/prod/bot-${n}.yaml`, valid.replace('name: invoice-bot', `name: bot-${n}`)),
  )
  const pause = vi.fn(async () => {})
  const previous = await policyOf([...trust, ...many], { pause })
  expect(pause.mock.calls.length).toBeGreaterThanOrEqual(3)
  pause.mockClear()
  await policyOf([...trust, ...many], { pause, previous })
  expect(pause).not.toHaveBeenCalled()
})
