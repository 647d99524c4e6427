/** Simulated evidence that authenticates, and releases to compare it with. */
import { anchorSet } from '#src/pki/anchor.ts'
import { decodeCertificate } from '#src/pki/certificate.ts'
import { type Authentication, authenticate } from '#src/rats/authentication.ts'
import type { Waivers } from '#src/rats/check.ts'
import { endorsements } from '#src/rats/endorsements.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import type { SnpReference } from '#src/rats/reference-values.ts'
import type { AgentRelease, ReferenceValue } from '#src/rats/release.ts'
import type { AnyTee } from '#src/rats/tee.ts'
import type { FixtureScene } from '../../fixtures/cases/case.ts'

export const AT = new Date('2026-06-01T00:00:00Z')
const noWaivers: Waivers = new Map()

export function authenticated(
  tee: AnyTee,
  { evidence, parts, anchors }: Pick<FixtureScene, 'evidence' | 'parts' | 'anchors'>,
  waivers: Waivers = noWaivers,
  // biome-ignore lint/suspicious/noExplicitAny: as AnyTee
): Authentication<any, any> {
  return authenticate(tee, evidence, {
    at: AT,
    anchors: anchorSet(
      anchors.map(({ der, product }) => ({
        certificate: decodeCertificate(der),
        product,
        assurance: 'simulated' as const,
      })),
    ),
    endorsements: endorsements(parts),
    waivers,
    proofs: proofCache(16),
  })
}

export function releaseOf(
  agent: string,
  referenceValues: readonly ReferenceValue[],
  more: Partial<AgentRelease> = {},
): AgentRelease {
  return {
    environment: 'prod',
    agent,
    version: '1',
    generation: 1,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2026-12-31T00:00:00Z'),
    referenceValues,
    waivers: noWaivers,
    rules: [{ audience: 'kms', form: 'possession', tokenTtlSeconds: 60, scopes: [] }],
    artifacts: [],
    models: [],
    runtime: undefined,
    runtimeConfig: undefined,
    manifest: { file: `agents/prod/${agent}.yaml`, sha256: '00'.repeat(32) },
    ...more,
  }
}

export function snpValue(id: string, reference: SnpReference, line = 1): ReferenceValue {
  return { id, line, lines: {}, tee: 'sev-snp', reference }
}
