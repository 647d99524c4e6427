/** Is this the guest, the signer and the machine that the reference value names? */
import { isZero, sameBytes, toHex } from '../../bytes/encoding.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import type { Claim } from '../../rats/claim.ts'
import {
  check,
  comparing,
  noExpectation,
  REPORT,
  type SnpCheck,
  type Subject,
} from './appraisal-check.ts'
import { extensionsOf } from './authenticity-checks.ts'
import { AUTHOR_KEY_EN } from './bits.ts'

export const referenceChecks: readonly SnpCheck[] = [
  bytesCheck('snp.measurement.expected', 'executables', 'measurement'),
  bytesCheck('snp.host-data.expected', 'configuration', 'hostData'),
  bytesCheck('snp.report-data.expected', 'instance-identity', 'reportData'),
  bytesCheck('snp.family-id.expected', 'executables', 'familyId'),
  bytesCheck('snp.image-id.expected', 'executables', 'imageId'),
  comparing(
    'minimumGuestSvn',
    check(
      'snp.guest-svn.floor',
      'executables',
      `${REPORT}, GUEST_SVN`,
      ({ evidence, reference }) => {
        const least = reference.minimumGuestSvn
        if (least === undefined) return noExpectation('guestSvn')
        const { guestSvn } = evidence.report
        return (
          guestSvn >= least || refuse(`guest SVN ${guestSvn} is below ${least}`, guestSvn, least)
        )
      },
    ),
  ),
  comparing(
    'idKeyDigests',
    check(
      'snp.id-key.approved',
      'executables',
      `${REPORT}, ID_KEY_DIGEST`,
      ({ evidence, reference }) =>
        judgeMember('the ID key digest', evidence.report.idKeyDigest, reference.idKeyDigests),
    ),
  ),
  comparing(
    'authorKeyDigests',
    check(
      'snp.author-key.approved',
      'executables',
      `${REPORT}, AUTHOR_KEY_DIGEST and AUTHOR_KEY_EN`,
      judgeAuthorKey,
    ),
  ),
  comparing(
    'chipIds',
    check(
      'snp.chip.approved',
      'instance-identity',
      `${REPORT}, CHIP_ID`,
      ({ evidence, reference }) =>
        judgeMember('the chip id', evidence.report.chipId, reference.chipIds),
    ),
  ),
  comparing(
    'deniedChipIds',
    check(
      'snp.chip.not-denied',
      'instance-identity',
      `${REPORT}, CHIP_ID`,
      ({ evidence, reference }) => {
        const denied = reference.deniedChipIds
        if (!denied) return noExpectation('denied chips')
        const { chipId } = evidence.report
        if (isZero(chipId))
          return refuse(
            'chips are denied by id and the host masked this one, so it could be any of them',
            toHex(chipId),
            'an unmasked chip id',
          )
        return (
          !denied.some((each) => sameBytes(each, chipId)) ||
          refuse('this chip is on the deny list', toHex(chipId), 'a chip that is not denied')
        )
      },
    ),
  ),
  comparing(
    'products',
    check('snp.product.approved', 'hardware', 'policy: products', ({ endorsement, reference }) => {
      const { products } = reference
      if (!products) return noExpectation('products')
      const { name } = extensionsOf(endorsement).product
      return products.includes(name) || refuse(`${name} is not an approved product`, name, products)
    }),
  ),
  comparing(
    'deniedProducts',
    check(
      'snp.product.not-denied',
      'hardware',
      'policy: deniedProducts; arXiv 2605.12990 (VCEK seeds of Milan)',
      ({ endorsement, reference }) => {
        const denied = reference.deniedProducts
        if (!denied) return noExpectation('denied products')
        const { name } = extensionsOf(endorsement).product
        return (
          !denied.includes(name) ||
          refuse(`${name} is on the product deny list`, name, `none of ${denied.join(', ')}`)
        )
      },
    ),
  ),
]

/** A byte field that must equal the expected bytes, whole: never a prefix, never padded. */
function bytesCheck(
  id: string,
  informs: Claim,
  field: 'measurement' | 'hostData' | 'reportData' | 'familyId' | 'imageId',
): SnpCheck {
  return comparing(
    field,
    check(id, informs, `${REPORT}, ${field}`, ({ evidence, reference }) => {
      const expected = reference[field]
      if (!expected) return noExpectation(field)
      const observed = evidence.report[field]
      return (
        sameBytes(observed, expected) ||
        refuse(
          `${field} is ${toHex(observed)}, expected ${toHex(expected)}`,
          toHex(observed),
          toHex(expected),
        )
      )
    }),
  )
}

/** A zero digest means that there is no key, so it is never a member, whatever the list holds. */
function judgeMember(
  what: string,
  observed: Uint8Array,
  approved: readonly Uint8Array[] | undefined,
): Judgement {
  if (!approved) return noExpectation(what)
  const member =
    observed.some((octet) => octet !== 0) && approved.some((each) => sameBytes(each, observed))
  return (
    member ||
    refuse(`${what} is not approved: ${toHex(observed)}`, toHex(observed), approved.map(toHex))
  )
}

function judgeAuthorKey({ evidence, reference }: Subject): Judgement {
  const { authorKeyDigest, signerInfo } = evidence.report
  const approved = reference.authorKeyDigests
  if (!approved) return noExpectation('the author key')
  if ((signerInfo & AUTHOR_KEY_EN) === 0)
    return refuse('no author key signed the ID key (AUTHOR_KEY_EN is 0)', false, true)
  return judgeMember('the author key digest', authorKeyDigest, approved)
}
