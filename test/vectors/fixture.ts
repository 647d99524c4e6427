/** The committed fixtures, and how one of them is judged: through the same two calls as every other evidence. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AnchorSet, anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { type Appraisal, verify } from '../../src/rats/appraisal.ts'
import type { Conditions } from '../../src/rats/authentication.ts'
import { firstFailure } from '../../src/rats/check.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import type { AnyTee } from '../../src/rats/tee.ts'
import { decodeVector, type Vector } from '../../src/rats/vector.ts'
import { teeByName } from '../../src/tee/registry.ts'

const root = join(import.meta.dirname, '../../fixtures')

export interface Fixture {
  readonly name: string
  readonly vector: Vector
  readonly tee: AnyTee
}

export const fixtures: readonly Fixture[] = globSync('**/*.vector', { cwd: root })
  .toSorted()
  .map((name) => {
    const vector = decodeVector(readFileSync(join(root, name), 'utf8'))
    const tee = teeByName(vector.header.tee)
    if (!tee) throw new Error(`${name} names an unknown TEE: ${vector.header.tee}`)
    return { name, vector, tee }
  })

/** What is judged besides the evidence itself, and against which reference value. */
export function conditionsOf({ vector, tee }: Fixture): {
  readonly conditions: Conditions
  readonly reference: unknown
} {
  const { header, parts } = vector
  const profile = header.profile === undefined ? [] : (tee.profiles[header.profile] ?? [])
  const conditions = {
    at: header.at,
    anchors: anchorsOf(vector),
    endorsements: endorsements(parts),
    waivers: new Map([...profile, ...header.waivers]),
    proofs: proofCache(16),
  }
  let reference: unknown = { ...tee.noReference, ...header.reference }
  for (const [name, value] of header.expectations)
    reference = tee.expectations[name]?.apply(reference, value)
  return { conditions, reference }
}

export function appraiseFixture(fixture: Fixture, tee: AnyTee = fixture.tee): Appraisal {
  const { conditions, reference } = conditionsOf(fixture)
  return verify(tee, fixture.vector.evidence, conditions, reference)
}

/** The id of the first check to fail, or `pass`. */
export function verdictOf(appraisal: Appraisal): string {
  return firstFailure(appraisal.findings)?.id ?? 'pass'
}

/** The same TEE with one check gone: what a verifier would say that had forgotten it. */
export function withoutCheck(tee: AnyTee, id: string): AnyTee {
  const forgotten = <C extends { readonly id: string }>(check: C): C =>
    check.id === id ? { ...check, judge: () => true as const } : check
  return {
    ...tee,
    structure: tee.structure.filter((rule) => rule.id !== id),
    authenticate: tee.authenticate.map(forgotten),
    appraise: tee.appraise.map(forgotten),
  }
}

const decoded = new Map<string, AnchorSet>()

/** RSA-4096 roots are decoded once: the fixtures share a handful. */
function anchorsOf({ anchors }: Vector): AnchorSet {
  const key = anchors
    .map(({ der, product }) => `${product}:${Buffer.from(der).toString('base64')}`)
    .join()
  const known = decoded.get(key)
  if (known) return known
  const set = anchorSet(
    anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated' as const,
    })),
  )
  decoded.set(key, set)
  return set
}
