/** Which documents does `vouchsafe collateral fetch` mean? What was asked for by name, and what goes with it. */
import {
  amdKeys,
  amdProducts,
  type EndorsementSubject,
  intelTees,
  pckCas,
  subjectOf,
} from '../service/endorsement-subject.ts'
import { Mistake } from './arguments.ts'

export interface Wanted {
  /** Product lines, several to a text when separated by commas. */
  readonly products: readonly string[]
  readonly fmspcs: readonly string[]
  /** `[PRODUCT:]CHIPID:TCB` each. */
  readonly vceks: readonly string[]
}

/** Nothing asked for: everything that names no machine. Throws Mistake. */
export function subjectsOf({ products, fmspcs, vceks }: Wanted): readonly EndorsementSubject[] {
  const lines = products.flatMap((text) => text.split(',')).map(productOf)
  const chips = vceks.map((text) => vcekOf(text, lines))
  const isAll = lines.length + fmspcs.length + chips.length === 0
  const named = new Set([...lines, ...chips.map(({ product }) => product)])
  return [
    ...[...(isAll ? amdProducts : named)].flatMap(ofProduct),
    ...chips,
    ...(isAll || fmspcs.length > 0 ? ofIntel : []),
    ...fmspcs.flatMap(ofPlatform),
  ]
}

function ofProduct(product: string): readonly EndorsementSubject[] {
  return amdKeys.flatMap((key) => [
    { document: 'amd-cert-chain', product, key } as const,
    { document: 'amd-crl', product, key } as const,
  ])
}

const ofIntel: readonly EndorsementSubject[] = [
  { document: 'intel-root-crl' },
  ...pckCas.map((ca) => ({ document: 'intel-pck-crl', ca }) as const),
  ...intelTees.map((tee) => ({ document: 'intel-qe-identity', tee }) as const),
]

function ofPlatform(fmspc: string): readonly EndorsementSubject[] {
  return intelTees.map((tee) => {
    const subject = subjectOf(`intel/${tee}/tcb/${fmspc.toLowerCase()}`)
    if (subject) return subject
    throw new Mistake(
      `--fmspc ${fmspc} is not the FMSPC of a platform.`,
      'Write its 6 bytes as 12 hex digits; `vouchsafe inspect` shows it for a quote.',
    )
  })
}

function productOf(text: string): string {
  const product = amdProducts.find((each) => each === text)
  if (product !== undefined) return product
  throw new Mistake(
    `--product ${text} is not a product line that AMD publishes for.`,
    `Choose among ${amdProducts.join(', ')}, spelled so and separated by commas.`,
  )
}

function vcekOf(
  text: string,
  lines: readonly string[],
): EndorsementSubject & { readonly product: string } {
  const parts = text.toLowerCase().split(':')
  const [tcb = '', chipId = '', line] = parts.toReversed()
  const product = line === undefined ? productOfChip(chipId, lines) : productInLowerCase(line)
  const subject = subjectOf(`amd/${product}/vcek/${chipId}/${tcb}`)
  if (parts.length <= 3 && subject?.document === 'amd-vcek') return subject
  throw new Mistake(
    `--vcek ${text} does not name a chip and its TCB.`,
    'Write it as [PRODUCT:]CHIPID:TCB: the chip id in hex (64 bytes; on Turin the first 8), and REPORTED_TCB in hex as the report has it (8 bytes; `vouchsafe inspect` shows it as reportedTcb.raw). Milan and Genoa ids look alike: name the product.',
  )
}

/** Only Turin's ids have 8 bytes; for the others the product must have been said, once. */
function productOfChip(chipId: string, lines: readonly string[]): string {
  if (chipId.length === 16) return 'Turin'
  const candidates = lines.filter((line) => line !== 'Turin')
  return candidates.length === 1 ? (candidates[0] ?? '') : ''
}

function productInLowerCase(line: string): string {
  return amdProducts.find((each) => each.toLowerCase() === line) ?? ''
}
