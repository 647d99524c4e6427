/**
 * Nothing secret stands where it does not belong. A whole service runs as a process of its own, on PGlite, with its
 * key-encryption key in a transit engine: secrets are put, rotated, released, refused, used in place and revoked, and it is
 * made to fail. Then everything that came out of it is searched for what was planted: what it printed, every answer, its figures,
 * the data directory byte for byte, a backup. A canary that was put where it is told on purpose shows that the search finds.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { releaseCommand } from '#src/cli/release.ts'
import { backUp } from '#src/compose/maintenance.ts'
import { attestedClient } from '../../enclave/client/attested-client.ts'
import { simulatedSnp } from '../../enclave/simulator/agent.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { type TransitServer, transitServer } from '../adapters/transit-server.ts'
import { output, pem } from '../cli/command.ts'
import { type RunningProgram, runProgram, startProgram } from '../cli/program.ts'
import { signedPolicy } from '../cli/signed-policy.ts'
import { freePort } from '../free-port.ts'
import { formsIn, marker } from './planted.ts'

const SLOW = 240_000
const DAY = 24 * 3600_000
const planted = marker()
/** Stands where it is told: in the name of a resource, and in a setting. */
const CANARY = `canary-${randomBytes(8).toString('hex')}`

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-planted-'))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}
const data = join(folder, 'data')

const operators = ['vera', 'sara', 'theo', 'otto'].map((name) => ({
  name,
  token: planted.secret(),
}))
const roles: Readonly<Record<string, string>> = {
  vera: 'viewer',
  sara: 'secret-admin',
  theo: 'secret-admin',
  otto: 'operator',
}
const tokenOf = (who: string) => operators.find(({ name }) => name === who)?.token ?? ''

/** What to search, by where it came from. */
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

let transit: TransitServer
let service: RunningProgram
let url = ''
let env: Record<string, string> = {}
/** What an agent was given, to see that the run was one. */
const given: string[] = []
const statuses: Record<string, number> = {}
const codes: [string, number][] = []

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

async function post(
  name: string,
  path: string,
  body: string,
  headers: Record<string, string> = {},
) {
  const response = await watchedFetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  statuses[name] = response.status
}

beforeAll(async () => {
  transit = await transitServer()
  transit.mood.token = planted.secret()
  transit.mood.keys = { vouchsafe: [Buffer.from(planted.key())] }
  const platform = simulatedSnp({
    chance: seededChance('planted secrets'),
    issued: new Date(Date.now() - DAY),
  })
  const measurement = new Uint8Array(48).fill(0xa1)
  const [port, metricsPort] = [await freePort(), await freePort()]
  url = `http://127.0.0.1:${port}`
  const scopes = ['secret:db', 'secret:marked', 'model:key', `secret:${CANARY}`]
  const policy = await signedPolicy({ releases: { audience: url, scopes } })
  const roots = join(folder, 'roots')
  mkdirSync(roots)
  for (const { der } of platform.anchors)
    writeFileSync(join(roots, 'ark.pem'), pem('CERTIFICATE', der))
  for (const { name, token } of operators) file(name, token)
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
  env = {
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
    VOUCHSAFE_TRANSIT_NAMESPACE: CANARY,
    VOUCHSAFE_TRANSIT_TOKEN_FILE: file('transit-token', transit.mood.token),
    VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: file(
      'previous-key',
      Buffer.from(planted.key()).toString('hex'),
    ),
    VOUCHSAFE_OPERATORS_FILE: file(
      'operators',
      operators.map(({ name, token }) => `${sha256(token)} ${roles[name]} ${name}`).join('\n'),
    ),
  }
  service = startProgram(['serve'], { cwd: folder, env })
  await service.printed('service.started')

  // Put, in every way that there is.
  const secrets = [planted.secret(), planted.secret(), planted.secret()]
  const files = secrets.map((secret, place) => file(`secret-${place}`, secret))
  await release('sara', 'put', 'secret:db', '--file', files[0] ?? '', '--lease', '60')
  await release('sara', 'rotate', 'secret:db', '--file', files[1] ?? '')
  await release('sara', 'put', 'secret:marked', '--file', files[2] ?? '', '--approvals', '1')
  await release('theo', 'rotate', 'secret:marked', '--settings-only', '--lease', '600')
  await release(
    'sara',
    'put',
    'model:key',
    '--file',
    file('key', Buffer.from(planted.key()).toString()),
    '--use',
    'decrypt',
  )
  await release('sara', 'put', `secret:${CANARY}`, '--file', files[0] ?? '')

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
  const base64 = Buffer.from(secret).toString('base64')
  const admin = { authorization: `Bearer ${tokenOf('sara')}` }
  const db = { name: 'secret:db', secret: base64 }
  await post('cut', '/v1/resources', `{"name":"secret:db","secret":"${base64}`, admin)
  await post('text', '/v1/resources', JSON.stringify({ ...db, secret }), admin)
  await post('twice', '/v1/resources', `{"secret":"${base64}","secret":"${base64}"}`, admin)
  await post(
    'bytes',
    '/v1/resources',
    JSON.stringify({ ...db, secret: [...Buffer.from(secret)] }),
    admin,
  )
  await post(
    'large',
    '/v1/resources',
    JSON.stringify({ ...db, secret: base64.repeat(2000) }),
    admin,
  )
  await post('rule', '/v1/resources', JSON.stringify({ ...db, approvals: secret }), admin)
  await post('path', '/v1/resources', JSON.stringify({ ...db, brokerPath: `a/${base64}` }), admin)
  await post('role', '/v1/resources', JSON.stringify(db), {
    authorization: `Bearer ${tokenOf('otto')}`,
  })
  await post('nobody', '/v1/resources', JSON.stringify(db), { authorization: `Bearer ${secret}` })
  await post('basic', '/v1/resources', JSON.stringify(db), { authorization: `Basic ${base64}` })
  await post('type', '/v1/resources', secret, { ...admin, 'content-type': 'text/plain' })
  const encJwk = { ...client.keys.enc.publicKey }
  await post('token', '/v1/releases', JSON.stringify({ resource: 'secret:db', encJwk }), {
    authorization: `DPoP ${secret}`,
    dpop: secret,
  })
  await post('introspect', '/v1/introspections', JSON.stringify({ token: secret }), admin)
  await watchedFetch(`${url}/v1/resources/${encodeURIComponent(`secret:${secret}`)}`, {
    headers: admin,
  })
  await watchedFetch(`${url}/v1/resources?tenant=${encodeURIComponent(secret)}`, { headers: admin })

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
  await post('echo', '/v1/resources', JSON.stringify(db), admin)
  transit.mood.answer = undefined
  client.close()

  for (const path of [
    '/v1/resources',
    '/v1/resources/secret:db',
    '/v1/keys',
    '/v1/release-approvals',
  ])
    await watchedFetch(`${url}${path}`, { headers: admin })
  const figures = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
  keep('figures', await figures.text())
  const [shown, validated] = await Promise.all([
    runProgram(['config', 'print', '--json'], { cwd: folder, env }),
    runProgram(['config', 'validate'], { cwd: folder, env }),
  ])
  keep('config print', `${shown.out}${shown.err}${validated.out}${validated.err}`)
  service.kill('SIGTERM')
  const ended = await service.ended
  keep('stdout', ended.out)
  keep('stderr', ended.err)
  for (const name of readdirSync(data, { recursive: true, withFileTypes: true }))
    if (name.isFile()) keep('data directory', readFileSync(join(name.parentPath, name.name)))
  const place = { dataDirectory: data, databaseUrl: undefined }
  await backUp(place, '-', { told: () => {}, write: async (bytes) => void keep('backup', bytes) })
  policy.remove()
}, SLOW)
afterAll(async () => {
  service?.kill('SIGKILL')
  await transit?.close()
  rmSync(folder, { recursive: true, force: true })
})

const places = [
  'answers',
  'the command line',
  'figures',
  'config print',
  'stdout',
  'stderr',
  'data directory',
  'backup',
] as const
const bytesOf = (place: string) => Buffer.concat(found.get(place) ?? [])

describe('a service that was used, refused and failed', () => {
  test('did all of that: agents had their secrets, and every wrong request was answered', () => {
    expect(given).toEqual([
      expect.stringContaining(planted.text),
      'ServiceRefusal',
      expect.stringContaining(planted.text),
      'in place',
      expect.stringContaining('500'),
    ])
    expect(codes.filter(([, code]) => code !== 0)).toEqual([])
    expect(statuses).toEqual({
      cut: 400,
      text: 400,
      twice: 400,
      bytes: 400,
      large: 413,
      rule: 400,
      path: 400,
      role: 403,
      nobody: 401,
      basic: 401,
      type: 415,
      token: 401,
      introspect: 200,
      sealed: 503,
      echo: 503,
    })
    const events = bytesOf('stdout').toString()
    for (const event of [
      'resource.put',
      'resource.revoked',
      'release.approved',
      'release.granted',
      'release.refused',
      'request.refused',
      'request.failed',
    ])
      expect(events).toContain(event)
  })

  test.each(places)('left nothing secret in: %s', (place) => {
    const bytes = bytesOf(place)
    if (place !== 'stderr') expect(bytes.length).toBeGreaterThan(100)
    expect(formsIn(bytes, planted.text)).toEqual([])
  })

  test.each(['answers', 'the command line', 'config print', 'stdout', 'data directory', 'backup'])(
    'told the canary, which was put to be told, in: %s',
    (place) => {
      expect(formsIn(bytesOf(place), CANARY)).not.toEqual([])
    },
  )

  test('asked the engine with its token, and never for a secret itself', () => {
    expect(transit.requests.length).toBeGreaterThan(10)
    for (const { token, body } of transit.requests) {
      expect(token).toBe(transit.mood.token)
      expect(formsIn(Buffer.from(JSON.stringify(body)), planted.text)).toEqual([])
    }
  })
})
