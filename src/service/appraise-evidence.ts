/**
 * `POST /v1/appraisals`: what do these bytes prove? Any evidence at any instant, for CI and recorded quotes. It is bound to
 * nobody, so nothing is issued and nothing is kept.
 */
import { Problem } from '../problems.ts'
import { type Appraisal, verify } from '../rats/appraisal.ts'
import { endorsements } from '../rats/endorsements.ts'
import type { AnyTee } from '../rats/tee.ts'
import { titleOf } from './endorsement-subject.ts'
import { type ReceivedEvidence, teeOfEvidence } from './received-evidence.ts'
import { type Call, tenantNamed, type Verifier } from './verifier.ts'

export interface AppraisalRequest extends ReceivedEvidence {
  readonly tenant: string
  /** Judge as of then; undefined is now. Harmless, since nothing is issued. */
  readonly at: Date | undefined
  /** Field of the TEE's reference value to expected bytes. */
  readonly expect: ReadonlyMap<string, Uint8Array>
  /** Check or group to reason. */
  readonly waive: ReadonlyMap<string, string>
  readonly profile: string | undefined
}

export interface AppraisedEvidence {
  readonly at: Date
  readonly appraisal: Appraisal
  /** Vendor documents that were needed and could not be had: titles, for people. */
  readonly missing: readonly string[]
}

/** Throws Problem for what cannot be judged; whatever the judgement is, it is the result. */
export async function appraiseEvidence(
  verifier: Verifier,
  request: AppraisalRequest,
  call: Call,
): Promise<AppraisedEvidence> {
  const tenant = tenantNamed(verifier, request.tenant, 'tenant')
  const tee = teeOfEvidence(request)
  // Vendors say what holds today: a judgement as of another day rests on what the caller brings.
  const { endorsements: held, missing } = request.at
    ? { endorsements: endorsements(request.endorsements), missing: [] }
    : await tenant.collect(request.evidence, tee, request.endorsements)
  const at = request.at ?? call.at
  const appraisal = verify(
    tee,
    request.evidence,
    {
      at,
      anchors: tenant.anchors,
      endorsements: held,
      waivers: new Map([...profileOf(tee, request.profile), ...waiversOf(tee, request.waive)]),
      proofs: verifier.proofs,
    },
    referenceOf(tee, request.expect),
  )
  return { at, appraisal, missing: missing.map(({ subject }) => titleOf(subject)) }
}

function profileOf(tee: AnyTee, name: string | undefined): ReadonlyMap<string, string> {
  if (name === undefined) return new Map()
  const profile = Object.hasOwn(tee.profiles, name) ? tee.profiles[name] : undefined
  if (profile) return profile
  throw new Problem(
    'request-malformed',
    `profile: ${tee.name} has ${Object.keys(tee.profiles).join(', ')}`,
  )
}

/** What may not be waived is refused here, not ignored: the caller would believe that it was. */
function waiversOf(tee: AnyTee, waive: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const waivable = waivableIn(tee)
  for (const name of waive.keys())
    if (!waivable.has(name))
      throw new Problem(
        'request-malformed',
        `waive: ${name} may not be waived for ${tee.name}; these may: ${[...waivable].join(', ')}`,
      )
  return waive
}

/** Ids and groups of the checks that policy may waive. */
export function waivableIn(tee: AnyTee): ReadonlySet<string> {
  return new Set(
    [...tee.authenticate, ...tee.appraise].flatMap(({ id, waivable }) =>
      waivable ? [id, waivable] : [],
    ),
  )
}

function referenceOf(tee: AnyTee, expect: ReadonlyMap<string, Uint8Array>): unknown {
  let reference: unknown = tee.noReference
  for (const [field, value] of expect) {
    const expectation = Object.hasOwn(tee.expectations, field) ? tee.expectations[field] : undefined
    if (!expectation || value.length !== expectation.size)
      throw new Problem(
        'request-malformed',
        expectation
          ? `expect.${field} is ${value.length} bytes long, and that field has ${expectation.size}`
          : `expect.${field}: ${tee.name} has ${Object.keys(tee.expectations).join(', ')}`,
      )
    reference = expectation.apply(reference, value)
  }
  return reference
}
