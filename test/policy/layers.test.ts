/** How far the hardware's word reaches: what it measured, what a bound configuration names, and what is only claimed. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { layersOf } from '#src/policy/layers.ts'
import type { Layer } from '#src/rats/release.ts'
import { altered, config, releaseOf } from './manifests.ts'

const hex = (size: number, octet = 'bb') => octet.repeat(size)
const digest = (algorithm: string) => createHash(algorithm).update(config.bytes).digest('hex')
/** The image and the model that the configuration names, and a model that it does not. */
const named = `sha256:${hex(32, '1a')}`
const namedModel = `sha256:${hex(32, '2b')}`
const unnamed = `sha256:${hex(32, '3c')}`

const parts = `  artifacts: [{name: image, kind: image, digest: "${named}"}]
  models:
    - {name: known, version: 1, digest: "${namedModel}"}
    - {name: unknown, version: 1, digest: "${unnamed}"}
`
const tdx = (more: string) =>
  `    - {id: t, tee: tdx, mrTd: "sha384:${hex(48)}", rtmr0: "sha384:${hex(48)}", rtmr1: "sha384:${hex(48)}", rtmr2: "sha384:${hex(48)}"${more}}\n`
const sgx = (more: string) => `    - {id: s, tee: sgx${more}}\n`
const measurement = `      measurement: sha384:${'a1'.repeat(48)}\n`

/** Of the last reference value. `snp` goes on in the first one, `entry` is a second one. */
function layers(more: { snp?: string; entry?: string; configured?: boolean }): readonly Layer[] {
  const { snp = '', entry = '', configured = true } = more
  const text = altered(
    measurement,
    `${measurement}${snp}${entry}${configured ? `  runtimeConfig: ${config.path}\n` : ''}${parts}`,
  )
  const release = releaseOf(text)
  const last = release.referenceValues.at(-1)
  if (!last) throw new Error('there is no reference value')
  return layersOf(release, last)
}

const through = (all: readonly Layer[]) =>
  all.map(({ subject, bound, through: field }) => [subject, bound, field])

const hardware = (field: string, launch: string) => [
  ['launch', 'hardware', launch],
  ['runtime-config', 'hardware', field],
  ['artifact:image', 'hardware', field],
  ['model:known', 'hardware', field],
  ['model:unknown', 'claimed', undefined],
]

describe('a configuration that the evidence carries makes what it names as good as measured', () => {
  test.each<[string, Parameters<typeof layers>[0], string, string]>([
    [
      'SEV-SNP by HOST_DATA',
      { snp: `      hostData: sha256:${digest('sha256')}\n` },
      'hostData',
      'measurement',
    ],
    [
      'TDX by MRCONFIGID',
      { entry: tdx(`, mrConfigId: "sha384:${digest('sha384')}"`) },
      'mrConfigId',
      'mrTd',
    ],
    [
      'SGX by CONFIGID',
      { entry: sgx(`, mrEnclave: "sha256:${hex(32)}", configId: "hex:${digest('sha512')}"`) },
      'configId',
      'mrEnclave',
    ],
  ])('%s', (_, more, field, launch) =>
    expect(through(layers(more))).toEqual(hardware(field, launch)),
  )
})

describe('without that, everything but the launch is the agent’s own word', () => {
  const claimed = [
    ['artifact:image', 'claimed', undefined],
    ['model:known', 'claimed', undefined],
    ['model:unknown', 'claimed', undefined],
  ]

  test('a reference value that expects no configuration', () =>
    expect(through(layers({}))).toEqual([
      ['launch', 'hardware', 'measurement'],
      ['runtime-config', 'claimed', undefined],
      ...claimed,
    ]))

  test('host data without a configuration that would explain it', () =>
    expect(
      through(layers({ snp: `      hostData: sha256:${digest('sha256')}\n`, configured: false })),
    ).toEqual([['launch', 'hardware', 'measurement'], ...claimed]))
})

test('digests are those of the manifest and of the file', () =>
  expect(layers({}).map((layer) => layer.digest)).toEqual([
    `sha384:${'a1'.repeat(48)}`,
    `sha256:${digest('sha256')}`,
    named,
    namedModel,
    unnamed,
  ]))

test('of an enclave that is known by its signer, only the signer is measured', () => {
  const [launch] = layers({
    entry: sgx(`, mrSigner: "sha256:${hex(32)}", isvProdId: 1, minimumIsvSvn: 2`),
  })
  expect(launch).toEqual({
    subject: 'launch',
    digest: `sha256:${hex(32)}`,
    bound: 'hardware',
    through: 'mrSigner',
  })
})
