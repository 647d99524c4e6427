/** What may a rule look at? The common variables for every rule, and the evidence for one that names its TEE. */
import type { ClaimSchema } from '../../rats/tee.ts'

const common: ClaimSchema = {
  tee: 'string',
  assurance: 'string',
  status: 'string',
  release: {
    environment: 'string',
    agent: 'string',
    version: 'string',
    generation: 'int',
    referenceValue: 'string',
  },
  request: { tenant: 'string', audience: 'string' },
}

/** `evidence`: the claim schema of the rule's TEE, undefined for a rule that names none. */
export function ruleVariables(evidence: ClaimSchema | undefined): ClaimSchema {
  return evidence ? { ...common, evidence } : common
}

export const variableNames: ReadonlySet<string> = new Set([...Object.keys(common), 'evidence'])
