/** Which version is given to whom? */
import { expect, test } from 'vitest'
import { chooseVersion } from '#src/release/choose-version.ts'

const at = new Date(0)
const versions = [
  { version: 4, revokedAt: at },
  { version: 3, revokedAt: undefined },
  { version: 2, revokedAt: at },
  { version: 1, revokedAt: undefined },
]

test.each<[string, number | undefined, number | undefined, number]>([
  ['the newest that is not revoked, where none is named', undefined, undefined, 3],
  ['the one that is named, though a newer one is there', 1, undefined, 1],
  ['the newest where a lower one would do', undefined, 2, 3],
  ['the one that is named and just new enough', 3, 3, 3],
])('%s', (_, version, minimumVersion, expected) => {
  expect(chooseVersion(versions, { version, minimumVersion })).toMatchObject({
    chosen: { version: expected },
  })
})

test.each<[string, number | undefined, number | undefined, string]>([
  ['a revoked one that is named', 4, undefined, 'version 4 is revoked'],
  ['one that was never there', 5, undefined, 'there is no version 5'],
  ['any where all that are new enough are revoked', undefined, 4, 'of at least version 4'],
  ['an older one than is needed, though it is named', 1, 2, 'version 1 is asked for, and at'],
])('nobody gets %s', (_, version, minimumVersion, says) => {
  expect(chooseVersion(versions, { version, minimumVersion })).toEqual({
    none: expect.stringContaining(says),
  })
})

test('nobody gets anything when all is revoked', () => {
  const revoked = versions.map((each) => ({ ...each, revokedAt: at }))
  expect(chooseVersion(revoked, { version: undefined, minimumVersion: undefined })).toEqual({
    none: 'every version is revoked',
  })
})

test('the order in which versions are listed says nothing', () => {
  const asked = { version: undefined, minimumVersion: undefined }
  expect(chooseVersion(versions.toReversed(), asked)).toMatchObject({ chosen: { version: 3 } })
})
