/** Measurement lists: files that are named by their content, read once, and shared by the manifests that name them. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  LARGEST_LIST,
  listLine,
  listOf,
  readMeasurementList,
} from '#src/policy/documents/measurement-list.ts'
import type { PolicyFile } from '#src/policy/policy.ts'
import { valid } from './manifests.ts'
import { bot, policyOf, refusal } from './policies.ts'
import { everybody, file, root } from './trust-documents.ts'

const digest = (octet: string) => `sha256:${octet.repeat(32)}`
const trust = [file('trust/root.yaml', root), file('trust/allowed_signers', everybody)]

const list = listOf([
  listLine('executable', digest('02'), '/usr/bin/node'),
  listLine('code', digest('01'), '/opt/agent/a file.js'),
])
const listed = file(list.file, list.text)
const hex = list.sha256
const naming = (path: string, name: string, digests: readonly string[] = [hex]): PolicyFile =>
  file(
    path,
    valid
      .replace('name: invoice-bot', `name: ${name}`)
      .replace(
        '  release:',
        `  runtime:\n    lists: [${digests.map((each) => `"sha256:${each}"`)}]\n  release:`,
      ),
  )
const agent = naming('agents/prod/invoice-bot.yaml', 'invoice-bot')
const other = naming('agents/prod/twin.yaml', 'twin')

/** Called as its content demands. */
const named = (text: string) =>
  file(`measurements/${createHash('sha256').update(text).digest('hex')}.list`, text)

describe('a list', () => {
  test('is sorted, holds each line once, and is called by its digest', () => {
    expect(list.text).toBe(
      `code ${'01'.repeat(32)}  /opt/agent/a file.js\nexecutable ${'02'.repeat(32)}  /usr/bin/node\n`,
    )
    expect(named(list.text).path).toBe(list.file)
    expect(
      listOf([...list.text.trimEnd().split('\n'), ...list.text.trimEnd().split('\n')]),
    ).toEqual(list)
  })

  test('is read once and shared by the releases that name it', async () => {
    const { releases } = await policyOf([...trust, agent, other, listed])
    const [first, second] = releases.map(({ runtime }) => runtime?.lists[0])
    expect(first).toBe(second)
    expect(first?.lines.size).toBe(2)
    expect([...(first?.programs ?? [])]).toEqual(['/usr/bin/node'])
  })

  test('that nobody names is harmless', async () => {
    const policy = await policyOf([...trust, bot, listed])
    expect(policy.releases).toHaveLength(1)
  })

  const line = `code ${'01'.repeat(32)}  /a\n`
  test.each<readonly [string, PolicyFile, string]>([
    ['another name', file(`measurements/${'0'.repeat(64)}.list`, line), 'call it measurements/'],
    ['a name that is none', file('measurements/agent.list', line), 'is none of the documents'],
    [
      'a folder below',
      file(`measurements/x/${'0'.repeat(64)}.list`, line),
      'is none of the documents',
    ],
    ['no last line end', named(line.trimEnd()), 'the last of which ends too'],
    ['nothing in it', named(''), 'must hold lines'],
    ['an empty line', named(`${line}\n`), ':2:1: '],
    ['an unknown kind', named(line.replace('code', 'kernel')), 'is not <kind>'],
    ['a model, which spec.models approves', named(line.replace('code', 'model')), 'is not <kind>'],
    ['state, which has a place of its own', named(line.replace('code', 'state')), 'is not <kind>'],
    ['one space before the path', named(line.replace('  ', ' ')), 'is not <kind>'],
    ['a digest in capitals', named(line.replace(/01/g, 'AB')), 'is not <kind>'],
    ['a path without end', named(line.replace('/a', '/'.repeat(1025))), 'is not <kind>'],
    ['what turns text around', named(line.replace('/a', '/\u202ea')), '\\u{202e}'],
    ['carriage returns', named(line.replace('\n', '\r\n')), 'is not <kind>'],
    ['more than a megabyte', named(line.repeat(14_500)), 'split it'],
  ])('with %s keeps the whole commit out', async (_, wrong, says) => {
    const [condition, ...mistakes] = await refusal([...trust, bot, wrong])
    expect(condition).toBe('SchemaInvalid')
    expect(mistakes.join('\n')).toContain(says)
  })

  test('that is no text at all is refused', () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0x0a])
    const path = `measurements/${createHash('sha256').update(bytes).digest('hex')}.list`
    expect(readMeasurementList(path, bytes)).toMatchObject({
      mistakes: [{ message: 'is not text in UTF-8' }],
    })
  })

  test('of a thousand wrong lines names a few', () => {
    const wrong = named('nonsense\n'.repeat(1000))
    const reading = readMeasurementList(wrong.path, wrong.bytes)
    expect('mistakes' in reading && reading.mistakes.length).toBeLessThan(10)
  })
})

describe('a manifest', () => {
  test('that names a list which is not in its commit is refused, with what to do', async () => {
    expect(await refusal([...trust, agent])).toEqual([
      'SchemaInvalid',
      expect.stringContaining(
        `spec.runtime.lists[0]: there is no file ${list.file} in this commit: make it with vouchsafe measure tree`,
      ),
    ])
  })

  test('is read again when its list leaves, although it is the same itself', async () => {
    const previous = await policyOf([...trust, agent, other, listed])
    expect((await policyOf([...trust, agent, other, listed], { previous })).releases[0]).toBe(
      previous.releases[0],
    )
    await expect(policyOf([...trust, agent, other], { previous })).rejects.toThrow(
      'there is no file',
    )
  })

  test('shares a list that did not change with the policy before', async () => {
    const previous = await policyOf([...trust, agent, listed])
    const next = await policyOf([...trust, agent, other, listed], { previous })
    expect(next.releases[1]?.runtime?.lists[0]).toBe(previous.releases[0]?.runtime?.lists[0])
  })

  test('that names a broken list says where it is broken', async () => {
    const broken = named('nonsense\n')
    const digest = broken.path.slice('measurements/'.length, -'.list'.length)
    const mistakes = await refusal([
      ...trust,
      naming('agents/prod/invoice-bot.yaml', 'invoice-bot', [digest]),
      broken,
    ])
    expect(mistakes.join('\n')).toContain(`${broken.path} is no measurement list, in line 1`)
  })
})

test('what Git adapters read of a file is what a list may have', () =>
  expect(LARGEST_LIST).toBe(1 << 20))
