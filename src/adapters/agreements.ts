/** Who agreed to a release, in whichever store. */

interface Agreed {
  readonly operator: string
  readonly seal?: string | undefined
}

/** Undefined: nothing is to be changed. Nobody counts twice; what is sealed takes the place of what is not. */
export function withAgreement<Before extends Agreed, By extends Agreed>(
  before: readonly Before[],
  by: By,
): readonly (Before | By)[] | undefined {
  const own = before.find(({ operator }) => operator === by.operator)
  if (own && (own.seal !== undefined || by.seal === undefined)) return undefined
  return [...before.filter((each) => each !== own), by]
}
