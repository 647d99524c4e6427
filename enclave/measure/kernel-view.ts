/** What do the sensor’s events say, in the words of a transcript? Each thing once per reading, and the rest as counts. */
import type { Behaviour } from '../../src/rats/runtime-event.ts'
import type { SeenFile, SensorEvent, SensorEventOf } from '../sensor/sensor-event.ts'
import { printable } from './budget.ts'
import type { OpenedFile } from './opened-files.ts'
import type { KernelSums } from './running-interval.ts'

export interface KernelReading {
  readonly opened: readonly OpenedFile[]
  readonly behaviours: readonly Behaviour[]
  readonly sums: KernelSums
}

/** Inodes of which a path is remembered, for the counts of later opens. */
const MOST_PATHS = 16_384
/** Levels of a folder that tell one place from another. */
const LEVELS = 2

export interface KernelViewing {
  /** The allowed name that an address was resolved from; empty where there is none. */
  readonly hostOf: (address: string) => string
}

export class KernelView {
  readonly #hostOf: (address: string) => string
  readonly #places = new Map<string, string>()

  constructor({ hostOf }: KernelViewing) {
    this.#hostOf = hostOf
  }

  read(events: readonly SensorEvent[]): KernelReading {
    const opened: OpenedFile[] = []
    const behaviours = new Map<string, Behaviour>()
    const opens = new Map<string, number>()
    const systemCalls = new Map<string, number>()
    let bytesSent = 0
    let bytesReceived = 0
    const tell = (behaviour: Behaviour) => {
      const { pid: _, ...same } = { pid: 0, ...behaviour }
      behaviours.set(JSON.stringify(same), behaviour)
    }
    for (const event of events)
      switch (event.kind) {
        case 'exec':
          opened.push(openedFile(event, 'exec'))
          tell(execOf(event))
          break
        case 'map':
          opened.push(openedFile(event, 'map'))
          break
        case 'open':
          if (event.access === 'read') opened.push(openedFile(event, 'open'))
          add(opens, this.#placeOf(event.file, event.access), 1)
          break
        case 'connection':
          tell(this.#connectionOf(event))
          break
        case 'sensitive':
          for (const behaviour of sensitiveOf(event)) tell(behaviour)
          break
        case 'interval':
          bytesSent += event.bytesSent
          bytesReceived += event.bytesReceived
          for (const [call, count] of Object.entries(event.systemCalls))
            add(systemCalls, call, count)
          for (const { inode, access, count } of event.opens)
            add(opens, `${access} ${this.#places.get(inode) ?? 'elsewhere'}`, count)
          if (event.otherOpens > 0) add(opens, 'other', event.otherOpens)
          break
        case 'ready':
        case 'fork':
        case 'exit':
          break
      }
    return {
      opened,
      behaviours: [...behaviours.values()],
      sums: { systemCalls: Object.fromEntries(systemCalls), opens, bytesSent, bytesReceived },
    }
  }

  /** `read /etc/ssl`: the first levels of its folder. */
  #placeOf(file: SeenFile, access: string): string {
    const folders = file.path.split('/').slice(1, -1).slice(0, LEVELS)
    const place = file.isAnonymous ? 'anonymous' : printable(`/${folders.join('/')}`).slice(0, 512)
    if (this.#places.size >= MOST_PATHS) this.#places.clear()
    this.#places.set(file.inode, place)
    return `${access} ${place}`
  }

  #connectionOf({ pid, comm, address, port, verdict }: SensorEventOf<'connection'>): Behaviour {
    const host = this.#hostOf(address).slice(0, 253)
    return { kind: 'connection', pid, comm: printable(comm), address, port, host, verdict }
  }
}

function execOf({ pid, comm, file }: SensorEventOf<'exec'>): Behaviour {
  const path = file.path.toWellFormed().slice(0, 1024) || 'unnamed'
  const isAnonymous = file.isAnonymous || file.isTruncated || file.path === ''
  return { kind: 'exec', pid, comm: printable(comm), path, isAnonymous }
}

function sensitiveOf(event: SensorEventOf<'sensitive'>): readonly Behaviour[] {
  const { pid, call } = event
  const comm = printable(event.comm)
  const detail = printable(event.detail).slice(0, 256)
  const seen: Behaviour = { kind: 'sensitive', pid, comm, call, detail }
  return event.action === 'seen'
    ? [seen]
    : [seen, { kind: 'reaction', action: 'kill', reason: call, microseconds: 0 }]
}

function openedFile(
  { pid, file }: { readonly pid: number; readonly file: SeenFile },
  use: OpenedFile['use'],
): OpenedFile {
  const { path, inode, changedAt, isTruncated, isAnonymous } = file
  return { pid, path, inode, changedAt, isTruncated, isAnonymous, use }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}
