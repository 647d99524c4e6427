/**
 * Does the hardware vouch for the init-data that came with evidence? Its digest must fill the field in which the host's word at
 * launch is reported, exactly: a digest that is padded or cut to fit could be that of other data, so those are refused.
 */
import { createHash } from 'node:crypto'
import { fromHex, sameBytes } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AgentRelease, ReferenceValue } from '../rats/release.ts'
import type { BrokerTee, InitDataField } from './broker-evidence.ts'

/** `digest`: its bytes, as another service computed them. */
export type InitData =
  | { readonly format: 'toml'; readonly body: string }
  | { readonly format: 'digest'; readonly digest: Uint8Array }

/**
 * The release with reference values that expect the digest, where the evidence reports another: so that the TEE's own check
 * refuses it, in its own words. Where it reports that digest, the release is left as it is. Throws
 * Problem('request-malformed').
 */
export function expectingInitData(
  release: AgentRelease,
  { tee, initData: field }: BrokerTee,
  { evidence, initData }: { readonly evidence: Evidence; readonly initData: InitData },
): AgentRelease {
  if (!field)
    throw new Problem(
      'request-malformed',
      `init-data: evidence of ${tee.name} has no place that could vouch for it`,
    )
  const digest = digestOf(initData, field)
  const decoding = tee.decode(evidence)
  const reported =
    'evidence' in decoding
      ? fromHex(String(tee.inspect(decoding.evidence)[field.field]))
      : undefined
  if (reported && sameBytes(reported, digest)) return release
  const expectation = tee.expectations[field.field]
  if (!expectation) throw new Error(`${tee.name} has no expectation of ${field.field}`)
  const expecting = (value: ReferenceValue): ReferenceValue =>
    value.tee === tee.name
      ? // `apply` gives the same TEE's reference back, with this one field.
        ({ ...value, reference: expectation.apply(value.reference, digest) } as ReferenceValue)
      : value
  return { ...release, referenceValues: release.referenceValues.map(expecting) }
}

function digestOf(initData: InitData, { field, algorithm }: InitDataField): Uint8Array {
  const size = algorithm === 'sha256' ? 32 : 48
  if (initData.format === 'digest') {
    if (initData.digest.length === size) return initData.digest
    throw new Problem(
      'request-malformed',
      `init-data: ${field} holds ${size} bytes, and the digest has ${initData.digest.length}; nothing is padded or cut`,
    )
  }
  const named = algorithmNamed(initData.body)
  if (named !== algorithm)
    throw new Problem(
      'request-malformed',
      `init-data: its algorithm is ${named ?? 'not named'}, and only a ${algorithm} digest fills ${field}; nothing is padded or cut`,
    )
  return new Uint8Array(createHash(algorithm).update(initData.body, 'utf8').digest())
}

/** Before the first table. Which one it names decides only whether it is refused: the digest covers all of the text. */
function algorithmNamed(toml: string): string | undefined {
  for (const line of toml.split('\n', 100)) {
    if (/^\s*\[/.test(line)) return undefined
    const [, , name] =
      /^\s*algorithm\s*=\s*(["'])(sha256|sha384|sha512)\1\s*(#.*)?$/.exec(line.trimEnd()) ?? []
    if (name !== undefined) return name
  }
  return undefined
}
