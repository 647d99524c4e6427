/** By which names can evidence be revoked, or found among the reference values? */
import { describe, expect, test } from 'vitest'
import { authenticate } from '#src/rats/authentication.ts'
import type { Claims, EvidenceIdentity } from '#src/rats/tee.ts'
import { machineNames } from '#src/service/session-record.ts'
import { tees } from '#src/tee/registry.ts'
import { conditionsOf, fixtures } from '../vectors/fixture.ts'

interface Identified {
  readonly name: string
  readonly identity: EvidenceIdentity
  readonly claims: Claims
}

function identified(teeName: string): readonly Identified[] {
  return fixtures.flatMap((fixture) => {
    const { tee, vector, name } = fixture
    if (tee.name !== teeName) return []
    const { authentic } = authenticate(tee, vector.evidence, conditionsOf(fixture).conditions)
    if (!authentic) return []
    const { evidence, endorsement } = authentic
    return [
      {
        name,
        identity: tee.identify(evidence, endorsement),
        claims: tee.claims(evidence, endorsement),
      },
    ]
  })
}

/** Claims that hold digests and machine names, spelled out here so that one that is forgotten is noticed. */
const digestClaims: Readonly<Record<string, readonly string[]>> = {
  'sev-snp': ['measurement', 'hostData', 'idKeyDigest', 'authorKeyDigest'],
  tdx: [
    ...['mrTd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3', 'mrConfigId', 'mrOwner', 'mrOwnerConfig'],
    ...['mrSeam', 'mrSignerSeam', 'mrServiceTd'],
  ],
  sgx: ['mrEnclave', 'mrSigner', 'configId'],
}
const launchClaim: Readonly<Record<string, string>> = {
  'sev-snp': 'measurement',
  tdx: 'mrTd',
  sgx: 'mrEnclave',
}
const platformClaims: Readonly<Record<string, readonly string[]>> = {
  'sev-snp': ['chipId', 'vekSha256'],
  tdx: ['ppid', 'platformInstanceId', 'pckSha256'],
  sgx: ['ppid', 'platformInstanceId', 'pckSha256'],
}

const named = (claims: Claims, names: readonly string[] | undefined) =>
  (names ?? [])
    .map((name) => claims[name])
    .filter((value) => typeof value === 'string' && /[^0]/.test(value))

describe.each(tees)('$name', ({ name: tee }) => {
  const all = identified(tee)

  test('has authentic fixtures', () => expect(all.length).toBeGreaterThan(5))

  test('is found by its launch', () =>
    expect(all.map(({ identity }) => identity.launch)).toEqual(
      all.map(({ claims }) => claims[launchClaim[tee] ?? '']),
    ))

  test('is revoked by every digest that is not all zero', () =>
    expect(all.map(({ identity }) => identity.digests)).toEqual(
      all.map(({ claims }) => named(claims, digestClaims[tee])),
    ))

  test('is revoked by its machine and by the certificate of its key', () =>
    expect(all.map(({ identity }) => identity.platforms)).toEqual(
      all.map(({ claims }) => named(claims, platformClaims[tee])),
    ))

  test('zero names nothing', () =>
    expect(
      all.flatMap(({ identity }) =>
        [...identity.digests, ...identity.platforms].filter((each) => /^0*$/.test(each)),
      ),
    ).toEqual([]))
})

test('the certificate of a VLEK is its provider’s, and names no machine', () => {
  const all = identified('sev-snp')
  const isVlek = ({ claims }: Identified) => JSON.stringify(claims.signerInfo).includes('"VLEK"')
  expect(all.filter(isVlek).length).toBeGreaterThan(1)
  for (const each of all) {
    const { identity, claims } = each
    expect(identity.shared).toEqual(isVlek(each) ? [claims.vekSha256] : undefined)
    expect(machineNames(identity).includes(String(claims.vekSha256))).toBe(!isVlek(each))
  }
})

test('a chip that the host masks in the report is known by the certificate of its key', () => {
  const fixture = fixtures.find(({ name }) => name.includes('sev-snp/chip-id-zero'))
  if (!fixture) throw new Error('the fixture is gone')
  const { conditions } = conditionsOf(fixture)
  const waivers = new Map([['attributes', 'masked on purpose']])
  const { authentic } = authenticate(fixture.tee, fixture.vector.evidence, {
    ...conditions,
    waivers,
  })
  if (!authentic) throw new Error('the fixture is not authentic')
  const { evidence, endorsement } = authentic
  expect(fixture.tee.claims(evidence, endorsement).chipId).toMatch(/^0+$/)
  const [chip, ...others] = fixture.tee.identify(evidence, endorsement).platforms
  expect(chip).toMatch(/^(?!0+$)[0-9a-f]{128}$/)
  expect(others).toHaveLength(1)
})
