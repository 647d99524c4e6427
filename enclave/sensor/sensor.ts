/** What does the kernel see an agent do? Starts the loader, and holds what it says until somebody reads it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { lineReader } from './line-reader.ts'
import {
  decodeSensorEvent,
  LONGEST_LINE,
  type SensorEvent,
  type SensorEventOf,
} from './sensor-event.ts'

/** At least one: the union of both is watched, and whoever was in it stays in it wherever it moves. */
export interface SensorScope {
  /** This process and all that it starts. */
  readonly pid?: number
  /** Folder of a cgroup v2, with all below. Destinations are seen and denied only here. One sensor per cgroup. */
  readonly cgroup?: string
}

export interface SensorSettings {
  readonly scope: SensorScope
  /**
   * `192.0.2.0/24`, `2001:db8::1`, `127.0.0.1:8443`, `[::1]:443`; of several that match, the longest prefix decides. Absent:
   * every connection is let through and reported. Stays in force when the sensor is killed.
   */
  readonly allow?: readonly string[]
  /** System calls whose caller gets SIGKILL at once. */
  readonly kill?: readonly string[]
  /** Default: all of them. */
  readonly watch?: readonly Watched[]
  readonly intervalMs?: number
  /** Bytes of the kernel's buffer, a power of two. Default 4 MiB: about 20,000 events. */
  readonly ringBytes?: number
  /** Runs on each event as it comes, before anybody reads it: for what must happen at once. */
  readonly onEvent?: (event: SensorEvent) => void
  /** Runs once, as soon as nothing more comes, unless `close` was called. */
  readonly onBlind?: (reason: string) => void
  /** The compiled loader: what sensor-program.ts says, or where the image has it. */
  readonly program: string
}

export type Watched = 'opens' | 'system-calls' | 'bytes'

export interface Sensor {
  readonly ready: SensorEventOf<'ready'>
  /** Of the loader. */
  readonly pid: number
  /** What came since the last read, in order. */
  readonly read: () => readonly SensorEvent[]
  /** Events that were lost since the start, in the kernel or here, as far as it is known. It only rises. */
  readonly dropped: () => number
  /** Sums up to now: an interval event is there to read when this resolves. Rejects when the sensor is blind. */
  readonly interval: () => Promise<void>
  /** This process and all that it started and starts are watched too. */
  readonly follow: (pid: number) => void
  /** Why nothing more comes; undefined while it watches. */
  readonly blindness: () => string | undefined
  /** Settles when it ends, with the reason. */
  readonly ended: Promise<string>
  /** Ends it and takes every hook away, those that deny too. What it saw last can still be read. */
  readonly close: () => Promise<void>
}

type Loader = ChildProcessByStdio<Writable, Readable, Readable>

/** Loading takes 50 ms; a machine under load takes longer. */
const MOST_START_MS = 20_000
const MOST_CLOSE_MS = 5_000
/** About 100 MB. What comes while it is full is counted as lost. */
const MOST_WAITING = 200_000
const MOST_ERROR_CHARACTERS = 4096

/** Throws Error with the loader's words if it does not start. */
export async function startSensor(settings: SensorSettings): Promise<Sensor> {
  const loader = spawn(settings.program, argumentsOf(settings), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {},
  })
  const complaint = firstWords(loader.stderr)
  const state = sensorState(settings)
  // A command to a loader that is gone; `exit` says so.
  loader.stdin.on('error', () => {})
  loader.stdout.on('data', (part: Buffer) => {
    try {
      state.take(part)
    } catch (error) {
      state.end(error instanceof Error ? error.message : 'it cannot be understood')
      loader.kill('SIGKILL')
    }
  })
  loader.on('error', ({ message }) => state.end(message))
  // `close`: after the last of what it wrote was read.
  loader.on('close', (code, signal) =>
    state.end(`the sensor ended with ${signal ?? `status ${code}`}${complaint()}`),
  )
  // What it said last can wait; that it is gone cannot.
  loader.on('exit', (code, signal) => {
    if (signal) state.end(`the sensor was killed by ${signal}`)
    else if (code) state.end(`the sensor ended with status ${code}${complaint()}`)
  })
  const ready = await state.ready(loader)
  return openSensor({ loader, state, ready })
}

function openSensor({
  loader,
  state,
  ready,
}: {
  readonly loader: Loader
  readonly state: SensorState
  readonly ready: SensorEventOf<'ready'>
}): Sensor {
  let requests = 0
  return {
    ready,
    pid: loader.pid ?? 0,
    read: state.read,
    dropped: state.dropped,
    blindness: state.blindness,
    ended: state.ended,
    async interval() {
      requests++
      const answered = state.answered(requests)
      loader.stdin.write(`interval ${requests}\n`)
      await answered
    },
    follow(pid) {
      loader.stdin.write(`follow ${pid}\n`)
    },
    async close() {
      if (state.blindness() !== undefined) return
      state.closing()
      const last = setTimeout(() => loader.kill('SIGKILL'), MOST_CLOSE_MS)
      loader.stdin.end('close\n')
      await state.ended
      clearTimeout(last)
    },
  }
}

type SensorState = ReturnType<typeof sensorState>

/** Everything that is known of one loader, whose words it takes. */
function sensorState({ onEvent, onBlind }: SensorSettings) {
  const lines = lineReader(LONGEST_LINE)
  const ended = Promise.withResolvers<string>()
  const started = Promise.withResolvers<SensorEventOf<'ready'>>()
  const requests = new Map<number, PromiseWithResolvers<void>>()
  let waiting: SensorEvent[] = []
  let blindness: string | undefined
  let isClosing = false
  let lostHere = 0
  let lostThere = 0
  started.promise.catch(() => {})

  function keep(event: SensorEvent): void {
    if (event.kind === 'ready') {
      started.resolve(event)
      return
    }
    if (event.kind === 'interval') {
      lostThere = Math.max(lostThere, event.lost + event.missed)
      requests.get(event.request)?.resolve()
      requests.delete(event.request)
    }
    onEvent?.(event)
    if (waiting.length < MOST_WAITING) waiting.push(event)
    else lostHere++
  }

  return {
    ended: ended.promise,
    blindness: () => blindness,
    dropped: () => lostHere + lostThere,
    closing() {
      isClosing = true
    },
    read() {
      const read = waiting
      waiting = []
      return read
    },
    /** Throws for what the loader cannot have said. */
    take(part: Buffer) {
      for (const line of lines.take(part)) {
        const event = decodeSensorEvent(line)
        if (!event) throw new Error('the sensor said what no sensor says')
        keep(event)
      }
    },
    end(reason: string) {
      if (blindness !== undefined) return
      blindness = reason
      started.reject(new Error(`the sensor did not start: ${reason}`))
      for (const request of requests.values()) request.reject(new Error(reason))
      requests.clear()
      if (!isClosing) onBlind?.(reason)
      ended.resolve(reason)
    },
    async answered(request: number) {
      if (blindness !== undefined) throw new Error(blindness)
      const answer = Promise.withResolvers<void>()
      requests.set(request, answer)
      await answer.promise
    },
    async ready(loader: Loader) {
      const late = setTimeout(() => {
        started.reject(new Error(`the sensor did not start within ${MOST_START_MS / 1000} s`))
        loader.kill('SIGKILL')
      }, MOST_START_MS)
      try {
        return await started.promise
      } finally {
        clearTimeout(late)
      }
    },
  }
}

function argumentsOf(settings: SensorSettings): readonly string[] {
  const { scope, allow, kill = [], watch = ['opens', 'system-calls', 'bytes'] } = settings
  const off = { opens: '--no-opens', 'system-calls': '--no-calls', bytes: '--no-bytes' } as const
  return [
    ...(scope.pid === undefined ? [] : ['--pid', String(scope.pid)]),
    ...(scope.cgroup === undefined ? [] : ['--cgroup', scope.cgroup]),
    ...(allow ? ['--only-allowed', ...allow.flatMap((to) => ['--allow', to])] : []),
    ...kill.flatMap((call) => ['--kill', call]),
    ...(Object.keys(off) as Watched[])
      .filter((what) => !watch.includes(what))
      .map((what) => off[what]),
    ...(settings.intervalMs === undefined ? [] : ['--interval', String(settings.intervalMs)]),
    ...(settings.ringBytes === undefined ? [] : ['--ring', String(settings.ringBytes)]),
  ]
}

/** What a program complains about, bounded, for the sentence that says that it failed. */
function firstWords(stream: Readable): () => string {
  let words = ''
  stream.setEncoding('utf8')
  stream.on('data', (part: string) => {
    words = (words + part).slice(0, MOST_ERROR_CHARACTERS)
  })
  return () => (words ? `: ${words.trim()}` : '')
}
