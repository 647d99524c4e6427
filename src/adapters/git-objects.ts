/**
 * Objects of one Git repository by their names, from a `git cat-file --batch` that stays while it is in use: an answer takes
 * a twentieth of a millisecond, where a process for each takes three.
 */
import type { Socket } from 'node:net'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { type GitSettings, sentenceOf, startGit, stopGit } from './git-process.ts'

export interface GitObject {
  /** `commit`, `tree`, `blob` or `tag` */
  readonly type: string
  readonly size: number
  /** Undefined when there are more than were asked for. */
  readonly bytes: Uint8Array | undefined
}

/** Undefined: the repository has no such object. `name` must be complete. Throws UnreadableObject. */
export type ReadObject = (name: string, mostBytes: number) => Promise<GitObject | undefined>

/** An object is damaged, or absent where it should be present: another copy of the repository may help. */
export class UnreadableObject extends HistoryFault {}

const IDLE_MS = 2_000

interface Wanted {
  readonly name: string
  readonly mostBytes: number
  readonly settle: (object: GitObject | undefined) => void
  readonly refuse: (fault: HistoryFault) => void
}

/** `gitDir` is the repository itself: parent folders are never searched. Nothing in it is executed, whoever owns it. */
export function objectsOf(gitDir: string, settings: GitSettings): ReadObject {
  const wanted: Wanted[] = []
  let batch: Batch | undefined

  function start(): Batch {
    const started = startBatch(gitDir, settings, {
      mostBytes: () => wanted[0]?.mostBytes ?? 0,
      answer(name, object) {
        const first = wanted.shift()
        // Forty digits are only the beginning of a name in a SHA-256 repository, and git looks for what begins so.
        first?.settle(first.name === name ? object : undefined)
        if (object && object.bytes === undefined) again()
        return wanted.length > 0
      },
      end(reason) {
        if (batch !== started) return
        batch = undefined
        for (const { refuse } of wanted.splice(0)) refuse(new UnreadableObject(reason))
      },
    })
    return started
  }

  /** An unwanted content is on its way, and git cannot be told to leave it out. */
  function again(): void {
    batch?.stop()
    batch = undefined
    if (wanted.length === 0) return
    batch = start()
    for (const { name } of wanted) batch.ask(name)
  }

  return async (name, mostBytes) =>
    await new Promise((settle, refuse) => {
      wanted.push({ name, mostBytes, settle, refuse })
      batch ??= start()
      batch.ask(name)
    })
}

interface Batch {
  readonly ask: (name: string) => void
  readonly stop: () => void
}

interface Asker {
  /** For the object whose answer begins. */
  readonly mostBytes: () => number
  /** Says whether more answers are awaited. */
  readonly answer: (name: string, object: GitObject | undefined) => boolean
  /** No answer will follow. */
  readonly end: (reason: string) => void
}

function startBatch(gitDir: string, settings: GitSettings, asker: Asker): Batch {
  const child = startGit({ ...settings, args: ['--git-dir', gitDir, 'cat-file', '--batch'] })
  const handles = [child, child.stdin, child.stdout, child.stderr] as readonly (
    | Socket
    | typeof child
  )[]
  const { timeoutMs } = settings
  let complaint = ''
  let header = ''
  let body: Body | undefined
  let timer: NodeJS.Timeout | undefined
  let ended = false
  let resting = true

  function end(reason: string): void {
    clearTimeout(timer)
    if (ended) return
    ended = true
    stopGit(child)
    asker.end(reason)
  }
  function rest(): void {
    resting = true
    clearTimeout(timer)
    // As long as nothing is awaited it keeps no program alive.
    for (const handle of handles) handle.unref()
    timer = setTimeout(() => end('git was not needed any more'), IDLE_MS).unref()
  }
  function wait(): void {
    resting = false
    clearTimeout(timer)
    for (const handle of handles) handle.ref()
    timer = setTimeout(() => end(`git did not answer within ${timeoutMs} ms`), timeoutMs)
  }
  function answer(name: string, object: GitObject | undefined): void {
    const more = asker.answer(name, object)
    if (ended) return
    if (more) timer?.refresh()
    else rest()
  }

  child.stdout.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && !ended; ) {
      if (body) {
        at += fill(body, chunk, at)
        if (!body.complete) continue
        const { name, type, bytes } = body
        body = undefined
        answer(name, { type, size: bytes.length, bytes })
        continue
      }
      const lineEnd = chunk.indexOf('\n', at)
      header += chunk.toString('latin1', at, lineEnd < 0 ? chunk.length : lineEnd)
      at = lineEnd < 0 ? chunk.length : lineEnd + 1
      if (lineEnd < 0) continue
      // `<object> SP <type> SP <size>`, or `<what was asked> SP missing`
      const [name = '', type = '', sizeText] = header.split(' ')
      header = ''
      const size = Number(sizeText)
      if (sizeText === undefined) answer(name, undefined)
      else if (size <= asker.mostBytes())
        body = { name, type, bytes: new Uint8Array(size), filled: 0, complete: false }
      else answer(name, { type, size, bytes: undefined })
    }
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(0, 2_000)
  })
  child.on('error', ({ message }) => end(`git could not be started: ${message}`))
  child.on('close', (code) => end(sentenceOf(code, complaint)))
  return {
    ask(name) {
      if (resting) wait()
      // What is asked in one go is written in one go.
      if (child.stdin.writableCorked === 0) {
        child.stdin.cork()
        setImmediate(() => child.stdin.uncork())
      }
      child.stdin.write(`${name}\n`)
    },
    stop() {
      ended = true
      clearTimeout(timer)
      stopGit(child)
    },
  }
}

interface Body {
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array
  filled: number
  /** The line feed after the content was seen too. */
  complete: boolean
}

/** How much of the chunk belonged to the body. */
function fill(body: Body, chunk: Buffer, at: number): number {
  const part = chunk.subarray(at, at + body.bytes.length - body.filled)
  body.bytes.set(part, body.filled)
  body.filled += part.length
  body.complete = body.filled === body.bytes.length && at + part.length < chunk.length
  return body.complete ? part.length + 1 : part.length
}
