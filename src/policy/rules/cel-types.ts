/** What type has a part of a CEL expression, and which types can be compared? As much of CEL's own checker as rules need. */
import type { ClaimSchema, ClaimType } from '../../rats/tee.ts'

export type CelType =
  | { readonly kind: Scalar; readonly nullable?: boolean }
  | { readonly kind: 'list' | 'map'; readonly of: CelType }
  | { readonly kind: 'fields'; readonly fields: ClaimSchema }

export type Scalar =
  | 'bool'
  | 'int'
  | 'string'
  | 'timestamp'
  | 'duration'
  | 'null'
  /** Goes with everything: elements of an empty list, and whatever a mistake was already reported about. */
  | 'any'

export const bool: CelType = { kind: 'bool' }
export const int: CelType = { kind: 'int' }
export const string: CelType = { kind: 'string' }
export const any: CelType = { kind: 'any' }

export function listOf(of: CelType): CelType {
  return { kind: 'list', of }
}

/** `hidden` has no type: who asks for it is told why. */
export function typeOfClaim(claim: Exclude<ClaimType, 'hidden'> | ClaimSchema): CelType {
  if (typeof claim !== 'string') return { kind: 'fields', fields: claim }
  switch (claim) {
    case 'bool':
    case 'int':
    case 'string':
      return { kind: claim }
    case 'bool?':
      return { kind: 'bool', nullable: true }
    case 'int?':
      return { kind: 'int', nullable: true }
    case 'string?':
      return { kind: 'string', nullable: true }
    case 'list<string>':
      return listOf(string)
  }
}

/** The type of what may be either, `undefined` if one rule could not use it as both. */
export function common(a: CelType, b: CelType): CelType | undefined {
  if (a.kind === 'any') return b
  if (b.kind === 'any') return a
  if (a.kind === 'null' && isNullable(b)) return b
  if (b.kind === 'null' && isNullable(a)) return a
  if ((a.kind === 'list' || a.kind === 'map') && b.kind === a.kind) {
    const of = common(a.of, b.of)
    return of && { kind: a.kind, of }
  }
  if (a.kind !== b.kind || a.kind === 'fields') return undefined
  return isNullable(a) ? a : b
}

export function isNullable(type: CelType): boolean {
  return type.kind === 'null' || ('nullable' in type && type.nullable === true)
}

/** For sentences: `an int`. */
export function one(type: CelType): string {
  return `${type.kind === 'int' || type.kind === 'any' ? 'an' : 'a'} ${named(type)}`
}

/** For sentences: `list of string`. */
export function named(type: CelType): string {
  switch (type.kind) {
    case 'list':
    case 'map':
      return `${type.kind} of ${named(type.of)}`
    case 'fields':
      return `group of fields (${Object.keys(type.fields).slice(0, 5).join(', ')}, ...)`
    default:
      return type.kind
  }
}
