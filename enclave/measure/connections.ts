/**
 * With whom is the agent connected? The kernel's tables of its network namespace, of those sockets that its processes hold open.
 * A fallback where no sensor reports: what was opened and closed between two looks, and datagrams, are not seen.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import type { Budget } from './budget.ts'
import { codeOf } from './file-digest.ts'
import type { AgentProcess } from './processes.ts'

export interface SeenConnection {
  readonly process: AgentProcess
  readonly address: string
  readonly port: number
}

const MOST_DESCRIPTORS = 65_536
const LARGEST_TABLE = 16 * 1024 * 1024
/** include/net/tcp_states.h */
const LISTEN = '0A'
const LINE =
  /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+ +\d+ +\d+ (\d+)/

/** Outgoing ones: what came in goes to a port that is listened on. */
export function connectionsOf(
  processes: readonly AgentProcess[],
  budget: Budget,
): readonly SeenConnection[] {
  const tables = new Map<string, ReadonlyMap<string, Socket>>()
  const found: SeenConnection[] = []
  for (const process of processes)
    try {
      const table = tableOf(process.pid, tables)
      for (const inode of socketsOf(process.pid, budget)) {
        const socket = table.get(inode)
        if (socket) found.push({ process, address: socket.address, port: socket.port })
      }
    } catch (cause) {
      if (!['ENOENT', 'ESRCH'].includes(codeOf(cause)))
        budget.fault(`connections of process ${process.pid}: ${codeOf(cause)}`)
    }
  return found
}

interface Socket {
  readonly address: string
  readonly port: number
}

/** Read once for each network namespace. */
function tableOf(
  pid: number,
  tables: Map<string, ReadonlyMap<string, Socket>>,
): ReadonlyMap<string, Socket> {
  const namespace = readlinkSync(`/proc/${pid}/ns/net`)
  const known = tables.get(namespace)
  if (known) return known
  const text = ['tcp', 'tcp6'].map((name) => readTable(`/proc/${pid}/net/${name}`)).join('\n')
  const table = outgoingIn(text)
  tables.set(namespace, table)
  return table
}

/** By inode of the socket. */
export function outgoingIn(text: string): ReadonlyMap<string, Socket> {
  const lines = text.split('\n').flatMap((line) => {
    const fields = LINE.exec(line)
    return fields ? [fields] : []
  })
  const listened = new Set(lines.filter(([, , , , , state]) => state === LISTEN).map((l) => l[2]))
  const sockets = new Map<string, Socket>()
  for (const [, , localPort, address = '', port = '', state, inode = ''] of lines)
    if (state !== LISTEN && inode !== '0' && !listened.has(localPort))
      sockets.set(inode, { address: addressOf(address), port: Number.parseInt(port, 16) })
  return sockets
}

/** Words of 32 bits in the byte order of the machine; every platform with a confidential VM is little-endian. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex').swap32()
  if (bytes.length === 4) return bytes.join('.')
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2))
  // An address of IPv4 on a socket of IPv6 is told as what it is.
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff)
    return bytes.subarray(12).join('.')
  const text = words.map((word) => word.toString(16)).join(':')
  return new URL(`http://[${text}]`).hostname.slice(1, -1)
}

function socketsOf(pid: number, budget: Budget): readonly string[] {
  const names = readdirSync(`/proc/${pid}/fd`)
  if (names.length > MOST_DESCRIPTORS)
    budget.fault(`process ${pid} has ${names.length} open files, too many to look at`)
  return names.slice(0, MOST_DESCRIPTORS).flatMap((name) => {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`)) ?? []
      return inode === undefined ? [] : [inode]
    } catch {
      // It was closed since.
      return []
    }
  })
}

function readTable(path: string): string {
  try {
    const text = readFileSync(path, 'latin1')
    if (text.length > LARGEST_TABLE) throw new RangeError(`${path} has ${text.length} bytes`)
    return text
  } catch (cause) {
    // A kernel without IPv6. Where the process itself is gone, its namespace's name could not be read before.
    if (codeOf(cause) === 'ENOENT' && path.endsWith('6') && statSync('/proc/self')) return ''
    throw cause
  }
}
