/** What `vouchsafe policy` needs of this machine: its tools, and the stored evidence that `policy diff` appraises again. */
import { localFiles } from '../adapters/local-files.ts'
import { policyTools } from '../adapters/policy-tools.ts'
import { systemClock } from '../adapters/system.ts'
import type { Output } from '../cli/answering.ts'
import type { PolicyDeps, StoredDiff } from '../cli/policy-deps.ts'
import type { ConfigReading } from '../config.ts'
import { Problem } from '../problems.ts'
import { proofCache } from '../rats/proof-cache.ts'
import { issuerNames } from '../service/issuer-names.ts'
import type { DriftReport } from '../service/policy-ports.ts'
import { diffPolicies } from '../service/reappraise.ts'
import { openStore } from './machine.ts'
import { tenantAnchors } from './tenant-evidence.ts'
import { openPgpVerifier, pause } from './tenant-policy.ts'

export interface PolicyToolsRequest extends Output {
  /** PATH. */
  readonly searchPath: string
  readonly colour: boolean
  readonly readConfig: () => ConfigReading
}

export function policyDeps({ searchPath, readConfig, ...output }: PolicyToolsRequest): PolicyDeps {
  return {
    ...output,
    ...policyTools({ searchPath }),
    files: localFiles,
    now: systemClock.now,
    fetch: globalThis.fetch,
    verifyOpenPgp: openPgpVerifier({ searchPath }),
    diffStored: async (request) => await diffStored(request, readConfig()),
  }
}

const MOST_PROOFS = 1_000

/** Throws Problem: the settings are wrong, or a running service holds the data. */
async function diffStored(
  { tenant: name, from, to, since }: StoredDiff,
  reading: ConfigReading,
): Promise<DriftReport> {
  if ('mistakes' in reading) throw new Problem('configuration-invalid', reading.mistakes.join('; '))
  const { config, secrets } = reading
  const tenant = config.tenants.find((each) => each.name === name)
  if (!tenant) throw new Problem('configuration-invalid', `the settings name no tenant ${name}`)
  const anchors = await tenantAnchors(tenant)
  const store = await openStore(config, secrets)
  try {
    return await diffPolicies({
      verifier: {
        store,
        proofs: proofCache(MOST_PROOFS),
        pause,
      },
      tenant: { name, anchors, issuers: issuerNames(config.publicUrl, { name, anchors }) },
      from,
      to,
      since,
      at: systemClock.now(),
    })
  } finally {
    await store.close()
  }
}
