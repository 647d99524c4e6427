/** May this principal change these paths? Roles of the parent's trust root say so, and the heartbeat is a world of its own. */
import { matchesPath } from '../documents/path-pattern.ts'
import type { Role, TrustRoot } from '../documents/trust-root.ts'
import { visible } from '../visible-text.ts'
import { allOf, oneOf } from './refusal.ts'

export const HEARTBEAT = 'heartbeat.yaml'
export const APPROVALS = 'approvals/'

/** Undefined: all of them. Otherwise a sentence about the first one that is not his to change. */
export function pathFault(
  principal: string,
  paths: readonly string[],
  root: TrustRoot,
): string | undefined {
  const heartbeat = root.heartbeat?.principals ?? []
  if (heartbeat.includes(principal)) {
    // Whatever roles say: this key lies on a machine that signs by itself.
    const other = paths.find((path) => path !== HEARTBEAT)
    return other === undefined
      ? undefined
      : `it changes ${visible(other)}, and the heartbeat's principal ${principal} may change ${HEARTBEAT} and nothing else. ${whoMay(other, root)}`
  }
  const roles = root.roles.filter(({ principals }) => principals.includes(principal))
  const patterns = roles.flatMap(({ paths: own }) => own)
  for (const path of paths) {
    if (path === HEARTBEAT && root.heartbeat)
      return `it changes ${HEARTBEAT}, which only the heartbeat's ${principals(heartbeat)} may change (spec.heartbeat.principals in trust/root.yaml), in a commit that changes nothing else. Let ${oneOf(heartbeat)} sign it`
    // Anybody whose key is known may bring approvals: what counts is who signed them.
    if (path.startsWith(APPROVALS)) continue
    if (!patterns.some((pattern) => matchesPath(pattern, path)))
      return `it changes ${visible(path)}, which lies in no role of ${principal} (${rolesText(roles)}). ${whoMay(path, root)}`
  }
  return undefined
}

const MOST_PATTERNS = 8

function rolesText(roles: readonly Role[]): string {
  if (roles.length === 0) return 'who has none'
  const texts = roles.map(({ name, paths }) => {
    const rest = paths.length - MOST_PATTERNS
    const more = rest > 0 ? [`and ${rest} more`] : []
    return `${name}: ${[...paths.slice(0, MOST_PATTERNS).map(visible), ...more].join(' ')}`
  })
  return texts.join('; ')
}

function whoMay(path: string, { roles, heartbeat }: TrustRoot): string {
  const able = new Set(
    roles
      .filter(({ paths }) => paths.some((pattern) => matchesPath(pattern, path)))
      .flatMap(({ principals }) => principals)
      .filter((principal) => !heartbeat?.principals.includes(principal)),
  )
  return able.size > 0
    ? `Let ${oneOf([...able])} sign this change`
    : 'Nobody may: give the path to a role in trust/root.yaml first'
}

function principals(names: readonly string[]): string {
  return names.length === 1 ? `principal ${names[0]}` : `principals ${allOf(names)}`
}
