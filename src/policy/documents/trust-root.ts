/** `trust/root.yaml`: who may change what in the policy repository, and how many must agree. */
import type { z } from 'zod'
import { expectAt, readDocument } from './policy-document.ts'
import { trustRootSchema } from './trust-root-schema.ts'
import type { Mistake, YamlDocument } from './yaml-document.ts'

export interface TrustRoot {
  /** Name of this repository in every approval: one for another repository (or tenant) counts for nothing here. */
  readonly repository: string
  /** Must rise with every change to anything under trust/. */
  readonly generation: number
  readonly roles: readonly Role[]
  readonly approvals: {
    /** Anything under trust/, and a reset across a rewrite. */
    readonly trust: Threshold
    /** Anything under rules/. */
    readonly rules: Threshold
    /** Any change by which an entry leaves revoked/. */
    readonly unrevoke: Threshold
    /** Further paths; every one that matches must be met. */
    readonly paths: readonly PathThreshold[]
  }
  readonly heartbeat: HeartbeatTerms | undefined
}

export interface Role {
  readonly name: string
  readonly principals: readonly string[]
  /** Patterns of path-pattern.ts. */
  readonly paths: readonly string[]
}

export interface Threshold {
  /** At least 1. Distinct principals, never keys: one principal has one vote. */
  readonly threshold: number
  readonly principals: readonly string[]
  /** The signer of the commit may not approve his own change. */
  readonly excludeAuthor: boolean
}

export interface PathThreshold extends Threshold {
  readonly paths: readonly string[]
}

export interface HeartbeatTerms {
  /** They may change heartbeat.yaml and nothing else, and nobody else may change it. */
  readonly principals: readonly string[]
  /** After notAfter the policy is Stale; this much later nothing is released any more. */
  readonly graceSeconds: number
  /** How far ahead of its first sight notAfter may lie: a stolen key must not silence the alarm for years. */
  readonly longestSeconds: number
}

export type TrustRootReading =
  | {
      readonly root: TrustRoot
      readonly named: readonly NamedPrincipal[]
      readonly document: YamlDocument
    }
  | { readonly mistakes: readonly Mistake[] }

/** A principal and where the document names it. */
export interface NamedPrincipal {
  readonly principal: string
  readonly path: readonly PropertyKey[]
}

/** `bytes` are a committed file. Whether its principals have keys is judged by trust-files.ts: this file cannot say. */
export function readTrustRoot(bytes: Uint8Array): TrustRootReading {
  const reading = readDocument(bytes, trustRootSchema)
  if ('mistakes' in reading) return reading
  const { document, value } = reading
  const { repository, generation } = value.metadata
  const { roles, approvals, heartbeat } = value.spec
  const ruling = rulingPrincipals(value)
  const beating = principalsIn(['spec', 'heartbeat'], heartbeat?.principals ?? [])
  const mistakes = conflicts(ruling, beating, document)
  if (mistakes.length > 0) return { mistakes }
  return {
    document,
    named: [...ruling, ...beating],
    root: {
      repository,
      generation,
      roles,
      approvals,
      heartbeat: heartbeat && {
        principals: heartbeat.principals,
        graceSeconds: heartbeat.grace,
        longestSeconds: heartbeat.longest,
      },
    },
  }
}

/** Everybody who may sign or approve anything but a heartbeat. */
function rulingPrincipals({ spec }: z.output<typeof trustRootSchema>): readonly NamedPrincipal[] {
  const { trust, rules, unrevoke, paths } = spec.approvals
  const kinds = { trust, rules, unrevoke }
  return [
    ...spec.roles.flatMap(({ principals }, index) =>
      principalsIn(['spec', 'roles', index], principals),
    ),
    ...Object.entries(kinds).flatMap(([kind, { principals }]) =>
      principalsIn(['spec', 'approvals', kind], principals),
    ),
    ...paths.flatMap(({ principals }, index) =>
      principalsIn(['spec', 'approvals', 'paths', index], principals),
    ),
  ]
}

function principalsIn(
  path: readonly PropertyKey[],
  principals: readonly string[],
): readonly NamedPrincipal[] {
  return principals.map((principal, index) => ({
    principal,
    path: [...path, 'principals', index],
  }))
}

/** A heartbeat's key lies on a machine that runs unattended: whoever steals it must gain nothing but heartbeats. */
function conflicts(
  ruling: readonly NamedPrincipal[],
  beating: readonly NamedPrincipal[],
  document: YamlDocument,
): readonly Mistake[] {
  const heartbeats = new Set(beating.map(({ principal }) => principal))
  return ruling.flatMap(({ principal, path }) =>
    expectAt(document, path, {
      holds: !heartbeats.has(principal),
      message: `${principal} signs the heartbeat and so may do nothing else; give the heartbeat a principal of its own`,
    }),
  )
}
