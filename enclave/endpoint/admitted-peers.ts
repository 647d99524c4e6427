/**
 * Which processes of this machine may speak for the agent? Whoever may takes tokens in its name: the list is as short as can be,
 * and everything on it must fit.
 */
import type { Socket } from 'node:net'
import { type Peer, peerOf } from './peer-credentials.ts'

export interface AdmittedPeers {
  /** User ids. Never empty: a socket's mode alone is easily changed. */
  readonly uids: readonly number[]
  /** Paths of programs, for equality. An interpreter's path admits every script. Absent: any. */
  readonly executables?: readonly string[]
  /** Paths of control groups: that one and what is below it. Absent: any. */
  readonly cgroups?: readonly string[]
}

/** Resolves to a peer that may ask, or to undefined. Never rejects. */
export async function admittedPeer(
  socket: Socket,
  admitted: AdmittedPeers,
): Promise<Peer | undefined> {
  const { executables, cgroups } = admitted
  const peer = await peerOf(socket, { ask: executables || cgroups ? 'process' : 'user' })
  return peer && isAdmitted(peer, admitted) ? peer : undefined
}

export function isAdmitted(
  { uid, process }: Peer,
  { uids, executables, cgroups }: AdmittedPeers,
): boolean {
  if (!uids.includes(uid)) return false
  if (executables && !(process && executables.includes(process.executable))) return false
  if (!cgroups) return true
  return process?.cgroups.some((path) => cgroups.some((group) => isWithin(path, group))) ?? false
}

function isWithin(path: string, group: string): boolean {
  return path === group || path.startsWith(group.endsWith('/') ? group : `${group}/`)
}
