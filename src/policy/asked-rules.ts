/** Which release rules does a request ask for? All of them must be there, or none is granted. */
import type { AgentRelease, ReleaseRule } from '../rats/release.ts'

/**
 * `audiences`: each names one rule; none asks for the release's only one. Undefined where a name is no rule's, or where
 * there are several rules and the request chooses none.
 */
export function askedRules(
  { rules }: Pick<AgentRelease, 'rules'>,
  audiences: readonly string[],
): readonly ReleaseRule[] | undefined {
  if (audiences.length === 0) return rules.length === 1 ? rules : undefined
  const asked = audiences.flatMap((audience) => rules.filter((rule) => rule.audience === audience))
  return asked.length === audiences.length ? asked : undefined
}
