/**
 * A whole service that runs as a process of its own, with its key-encryption key in a transit engine: secrets are put, rotated,
 * released, refused, used in place and revoked, and it is made to fail. What came out of it is kept, to be searched for what was
 * planted: what it printed, every answer, its log, its figures, its configuration as it prints it, a backup.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { localFiles } from '#src/adapters/local-files.ts'
import { releaseCommand } from '#src/cli/release.ts'
import { attestedClient } from '../../enclave/client/attested-client.ts'
import { simulatedSnp } from '../../enclave/simulator/agent.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { type TransitServer, transitServer } from '../adapters/transit-server.ts'
import { output, pem } from '../cli/command.ts'
import { runProgram, startProgram } from '../cli/program.ts'
import { signedPolicy } from '../cli/signed-policy.ts'
import { freePort } from '../free-port.ts'
import { type Marker, marker } from './planted.ts'
import { logEntries } from './planted-log.ts'
import { wrongRequests } from './planted-requests.ts'

export interface PlantedRun {
  readonly planted: Marker
  /** Stands where it is told: in the name of a resource, and in a setting. */
  readonly canary: string
  /** Everything that came out at this place. */
  readonly bytesOf: (place: string) => Uint8Array
  /** What an agent was given, to see that the run was one. */
  readonly given: readonly string[]
  /** Of requests that were wrong, by their names. */
  readonly statuses: Readonly<Record<string, number>>
  /** Of `vouchsafe release`. */
  readonly codes: readonly (readonly [string, number])[]
  readonly transit: TransitServer
  readonly dataDirectory: string
  readonly close: () => Promise<void>
}

const DAY = 24 * 3600_000
const roles = [
  ['vera', 'viewer'],
  ['sara', 'secret-admin'],
  ['theo', 'secret-admin'],
  ['otto', 'operator'],
  ['alma', 'auditor'],
] as const

/** `databaseUrl`: of an empty PostgreSQL that asks for no password; default: the embedded one. Resolves when the service ended. */
export async function plantedRun(
  databaseUrl?: string,
  planted: Marker = marker(),
): Promise<PlantedRun> {
  const canary = `canary-${randomBytes(8).toString('hex')}`
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-planted-'))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  const data = join(folder, 'data')
  const operators = roles.map(([name, role]) => ({ name, role, token: planted.secret() }))
  const bearer = (who: string) => ({
    authorization: `Bearer ${operators.find(({ name }) => name === who)?.token ?? ''}`,
  })

  const found = new Map<string, Uint8Array[]>()
  const keep = (where: string, bytes: string | Uint8Array) =>
    found.set(where, [...(found.get(where) ?? []), Buffer.from(bytes)])

  /** Every answer is kept, headers and all. */
  const watchedFetch: typeof fetch = async (...request) => {
    const response = await fetch(...request)
    const body = new Uint8Array(await response.clone().arrayBuffer())
    keep('answers', `${response.status} ${JSON.stringify([...response.headers])}\n`)
    keep('answers', body)
    return response
  }
  const given: string[] = []
  const statuses: Record<string, number> = {}
  const codes: [string, number][] = []

  const transit = await transitServer()
  transit.mood.token = planted.secret()
  transit.mood.keys = { vouchsafe: [Buffer.from(planted.key())] }
  const platform = simulatedSnp({
    chance: seededChance('planted secrets'),
    issued: new Date(Date.now() - DAY),
  })
  const measurement = new Uint8Array(48).fill(0xa1)
  const [port, metricsPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const scopes = ['secret:db', 'secret:marked', 'model:key', `secret:${canary}`]
  const policy = await signedPolicy({ releases: { audience: url, scopes } })
  const roots = join(folder, 'roots')
  mkdirSync(roots)
  for (const { der } of platform.anchors)
    writeFileSync(join(roots, 'ark.pem'), pem('CERTIFICATE', der))
  for (const { name, token } of operators) file(name, token)
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
  const env: Record<string, string> = {
    VOUCHSAFE_PUBLIC_URL: url,
    VOUCHSAFE_PORT: String(port),
    VOUCHSAFE_METRICS_PORT: String(metricsPort),
    VOUCHSAFE_POLICY: policy.path,
    VOUCHSAFE_POLICY_PIN: policy.pin,
    VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: file('hook', planted.secret()),
    VOUCHSAFE_SIMULATED_ROOTS: roots,
    VOUCHSAFE_DATA: data,
    VOUCHSAFE_OFFLINE: 'true',
    VOUCHSAFE_DRAIN_SECONDS: '0',
    VOUCHSAFE_TRANSIT_URL: transit.url,
    VOUCHSAFE_TRANSIT_KEY: 'vouchsafe',
    VOUCHSAFE_TRANSIT_NAMESPACE: canary,
    VOUCHSAFE_TRANSIT_TOKEN_FILE: file('transit-token', transit.mood.token),
    VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: file(
      'previous-key',
      Buffer.from(planted.key()).toString('hex'),
    ),
    VOUCHSAFE_OPERATORS_FILE: file(
      'operators',
      operators.map(({ name, role, token }) => `${sha256(token)} ${role} ${name}`).join('\n'),
    ),
  }
  if (databaseUrl !== undefined) {
    // The server asks for none, so that only we have it.
    const password = encodeURIComponent(planted.secret())
    const whole = databaseUrl.replace('postgres@', `postgres:${password}@`)
    env.VOUCHSAFE_DATABASE_URL_FILE = file('database', whole)
  }
  const service = startProgram(['serve'], { cwd: folder, env })
  await service.printed('service.started')

  async function release(who: string, ...args: readonly string[]) {
    const { written, ...streams } = output()
    const access = ['--url', url, '--token-file', join(folder, who)]
    const code = await releaseCommand([...args, ...access], {
      ...streams,
      colour: false,
      files: localFiles,
      fetch: watchedFetch,
      stdin: { isTerminal: true, read: async function* () {} },
      openResources: async () => undefined,
    })
    keep('the command line', `${written.out}${written.err}`)
    codes.push([args[0] ?? '', code])
    return { code, ...written }
  }

  async function post(name: string, path: string, body: string, headers: Record<string, string>) {
    const response = await watchedFetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    statuses[name] = response.status
  }

  // Put, in every way that there is.
  const simulated = ['--simulated', 'accepted']
  const secrets = [planted.secret(), planted.secret(), planted.secret()]
  const files = secrets.map((secret, place) => file(`secret-${place}`, secret))
  await release('sara', 'put', 'secret:db', '--file', files[0] ?? '', '--lease', '60', ...simulated)
  await release('sara', 'rotate', 'secret:db', '--file', files[1] ?? '')
  await release(
    'sara',
    'put',
    'secret:marked',
    '--file',
    files[2] ?? '',
    '--approvals',
    '1',
    ...simulated,
  )
  await release('theo', 'rotate', 'secret:marked', '--settings-only', '--lease', '60')
  await release(
    'sara',
    'put',
    'model:key',
    '--file',
    file('key', Buffer.from(planted.key()).toString()),
    '--use',
    'decrypt',
    ...simulated,
  )
  await release('sara', 'put', `secret:${canary}`, '--file', files[0] ?? '')

  // Released, used in place, waited for and agreed to.
  const client = await attestedClient({
    service: url,
    issuer: `${url}/simulated`,
    attester: {
      attest: (reportData) => platform.attest({ reportData, measurement }),
      endorsements: platform.endorsements,
    },
    claims: { tenant: 'default', environment: 'dev', agent: 'invoice-bot' },
    fetch: watchedFetch,
  })
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
  given.push(text((await client.release('secret:db')).secret))
  await client.release('secret:marked').catch((refusal: Error) => given.push(refusal.name))
  const open = JSON.parse((await release('vera', 'approvals', '--json')).out).approvals
  await release('theo', 'approve', open[0]?.id ?? '')
  given.push(text((await client.release('secret:marked')).secret))
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', planted.key(), iv)
  const sealed = Buffer.concat([cipher.update('in place'), cipher.final()])
  const input = Buffer.concat([iv, cipher.getAuthTag(), sealed])
  given.push(text(await client.operate('model:key', 'decrypt', input)))
  // Refused: an input that is the secret itself, a name that no rule has, a version that is revoked.
  await client.operate('model:key', 'decrypt', Buffer.from(secrets[0] ?? '')).catch(() => {})
  await client.release('secret:none').catch(() => {})
  await release('theo', 'revoke', 'secret:db', '--version', '1')
  await client.release('secret:db', { minimumVersion: 9 }).catch(() => {})

  // Requests that are wrong, with secrets wherever somebody could write them by mistake.
  const [secret = ''] = secrets
  const admin = bearer('sara')
  const encJwk = { ...client.keys.enc.publicKey }
  for (const { name, path, body, headers } of wrongRequests(secret, {
    admin,
    other: bearer('otto'),
    encJwk,
  }))
    await post(name, path, body, headers)
  for (const path of [
    `/${encodeURIComponent(`secret:${secret}`)}`,
    `?tenant=${encodeURIComponent(secret)}`,
  ])
    await watchedFetch(`${url}/v1/resources${path}`, { headers: admin })

  const db = { name: 'secret:db', secret: Buffer.from(secret).toString('base64') }
  // The engine fails: sealed, then with other bytes than it was asked for.
  transit.mood.sealed = true
  await post('sealed', '/v1/resources', JSON.stringify(db), admin)
  transit.mood.sealed = false
  await release('sara', 'rotate', 'secret:db', '--file', files[2] ?? '')
  transit.mood.answer = (_, response) => {
    const plaintext = Buffer.alloc(32, 7).toString('base64')
    response.writeHead(200).end(JSON.stringify({ data: { plaintext } }))
  }
  await client.release('secret:db').catch((refusal: Error) => given.push(refusal.message))
  transit.mood.answer = (request, response) => {
    response.writeHead(500).end(JSON.stringify({ errors: [JSON.stringify(request)] }))
  }
  await post('echo', '/v1/resources', JSON.stringify({ ...db, name: 'secret:echo' }), admin)
  transit.mood.answer = undefined
  client.close()

  for (const path of [
    '/v1/resources',
    '/v1/resources/secret:db',
    '/v1/keys',
    '/v1/release-approvals',
  ])
    await watchedFetch(`${url}${path}`, { headers: admin })
  // What was queued last has its number within a second.
  await sleep(1500)
  keep('log', await logEntries(url, bearer('alma')))
  const figures = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
  keep('figures', await figures.text())
  service.kill('SIGTERM')
  const ended = await service.ended
  keep('stdout', ended.out)
  keep('stderr', ended.err)
  const backup = join(folder, 'backup')
  const command = async (...args: readonly string[]) => {
    const { out, err } = await runProgram(args, { cwd: folder, env })
    return `${out}${err}`
  }
  keep('config print', await command('config', 'print', '--json'))
  keep('config print', await command('config', 'print'))
  keep('config print', await command('config', 'validate'))
  keep('the command line', await command('backup', backup))
  keep('backup', readFileSync(backup))
  policy.remove()
  return {
    planted,
    canary,
    bytesOf: (place) => Buffer.concat(found.get(place) ?? []),
    given,
    statuses,
    codes,
    transit,
    dataDirectory: data,
    async close() {
      service.kill('SIGKILL')
      await transit.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
