/** What comes of an operator, a function or a field on values of these types, or why it means nothing: a sentence. */
import { fits, functionNames, signaturesOf, spellingOf } from './cel-functions.ts'
import { any, bool, type CelType, common, named, one, string, typeOfClaim } from './cel-types.ts'

/** `name` as cel-functions.ts writes it: a method's begins with a dot. */
export function typeOfCall(name: string, given: readonly CelType[]): CelType | string {
  const [first = any, second = any, third = any] = given
  switch (name) {
    case '_==_':
    case '_!=_':
      return comparison(name, first, second)
    case '@in':
      return membership(first, second)
    case '_?_:_':
      return choice(first, second, third)
    // Ends a comprehension early. The parser writes it, and nobody else can.
    case '@not_strictly_false':
      return bool
  }
  if (name === '_+_' && first.kind === 'list' && second.kind === 'list')
    return common(first, second) ?? mismatch(name, given)
  const signature = signaturesOf(name)?.find((each) => fits(each, given))
  return signature ? { kind: signature.gives } : mismatch(name, given)
}

/** Before its arguments are looked at; undefined where there is such a function. */
export function unknownFunction(name: string): string | undefined {
  // Operators are the parser's own.
  if (signaturesOf(name) || /^[@_!-]/.test(name)) return undefined
  if (name === 'has') return 'has() takes a field: has(evidence.cpuid)'
  return `there is no function ${spellingOf(name)}(); there are ${functionNames.join(', ')}`
}

export function typeOfField(owner: CelType, name: string): CelType | string {
  switch (owner.kind) {
    case 'any':
      return any
    case 'map':
      return owner.of
    case 'fields': {
      const claim = Object.hasOwn(owner.fields, name) ? owner.fields[name] : undefined
      if (claim === undefined)
        return `there is no field ${name}; there are ${Object.keys(owner.fields).join(', ')}`
      if (claim === 'hidden')
        return `${name} is not for rules: it differs with every quote, and what it must be is checked elsewhere`
      return typeOfClaim(claim)
    }
    default:
      return `${one(owner)} has no fields, so none called ${name}`
  }
}

export function typeOfElement(owner: CelType, key: CelType): CelType | string {
  if (owner.kind === 'any') return any
  if (owner.kind !== 'list' && owner.kind !== 'map') return `${one(owner)} has no elements`
  const wanted = owner.kind === 'list' ? 'int' : 'string'
  if (key.kind !== wanted && key.kind !== 'any')
    return `a ${owner.kind} is indexed by ${wanted}, and this is ${one(key)}`
  return owner.of
}

function comparison(name: '_==_' | '_!=_', left: CelType, right: CelType): CelType | string {
  if (common(left, right)) return bool
  const outcome = name === '_==_' ? 'false' : 'true'
  if (left.kind === 'null' || right.kind === 'null')
    return `${one(left.kind === 'null' ? right : left)} that is never null is compared with null, which is always ${outcome}`
  return `${named(left)} is compared with ${named(right)}, which is always ${outcome}: compare values of one type`
}

function membership(left: CelType, right: CelType): CelType | string {
  if (right.kind === 'any') return bool
  const elements = right.kind === 'list' ? right.of : right.kind === 'map' ? string : undefined
  return elements && common(left, elements) ? bool : mismatch('@in', [left, right])
}

function choice(condition: CelType, yes: CelType, no: CelType): CelType | string {
  if (condition.kind !== 'bool' && condition.kind !== 'any')
    return `what stands before ? must be true or false, and this is ${one(condition)}`
  return (
    common(yes, no) ?? `the two sides of : are ${named(yes)} and ${named(no)}: give them one type`
  )
}

function mismatch(name: string, given: readonly CelType[]): string {
  return `${spellingOf(name)} cannot be used on ${given.map(named).join(' and ') || 'nothing'}`
}
