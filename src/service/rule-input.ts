/** What may a rule look at? The claims of authentic evidence, without those that differ with every quote. */
import type { RuleEvidence, RuleInput, RuleValue } from '../policy/rules/rule.ts'
import type { AgentRelease, ReferenceValue } from '../rats/release.ts'
import type { ClaimSchema, Claims, ClaimValue } from '../rats/tee.ts'
import type { Assurance, Status } from '../rats/trust-vector.ts'

export interface RuleSubject {
  readonly tee: string
  readonly assurance: Assurance
  /** Of everything that was found before any rule was asked. */
  readonly status: Status
  readonly release: AgentRelease
  /** Matched, or the nearest; undefined where the release has none for this TEE. */
  readonly referenceValue: ReferenceValue | undefined
  readonly tenant: string
  readonly claims: Claims
  readonly claimSchema: ClaimSchema
}

/** The same whatever audience is asked for; rule-questions.ts puts that in. */
export function ruleInput(subject: RuleSubject): RuleInput {
  const { tee, assurance, status, tenant, referenceValue } = subject
  const { environment, agent, version, generation } = subject.release
  return {
    tee,
    assurance,
    status,
    release: {
      environment,
      agent,
      version,
      generation,
      referenceValue: referenceValue?.id ?? '',
    },
    request: { tenant, audience: '' },
    evidence: visible(subject.claims, subject.claimSchema),
  }
}

/** What the schema does not name, a rule does not see: nothing could have checked what it says about it. */
function visible(claims: Claims, schema: ClaimSchema): RuleEvidence {
  const evidence: Record<string, RuleValue> = {}
  for (const { name, nested } of fieldsOf(schema)) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    if (value === undefined) continue
    evidence[name] = nested && isClaims(value) ? visible(value, nested) : value
  }
  return evidence
}

interface Field {
  readonly name: string
  /** Of an object's own fields. */
  readonly nested: ClaimSchema | undefined
}

const plans = new WeakMap<ClaimSchema, readonly Field[]>()

/** Made once for each TEE: walking the schema anew took as long as asking ten rules from memory. */
function fieldsOf(schema: ClaimSchema): readonly Field[] {
  const known = plans.get(schema)
  if (known) return known
  const fields = Object.entries(schema).flatMap(([name, type]): Field[] =>
    type === 'hidden' ? [] : [{ name, nested: typeof type === 'string' ? undefined : type }],
  )
  plans.set(schema, fields)
  return fields
}

function isClaims(value: ClaimValue): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
