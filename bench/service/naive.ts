/**
 * What one would write in an afternoon, for comparison: the same questions as the service asks of SEV-SNP evidence, each
 * answered afresh for every request by @peculiar/x509 and WebCrypto, a token by jose, rows by drizzle, in one process.
 */
import 'reflect-metadata'
import { createHmac, randomBytes } from 'node:crypto'
import { serve } from '@hono/node-server'
import { X509Certificate, X509Crl } from '@peculiar/x509'
import { drizzle } from 'drizzle-orm/node-postgres'
import { json, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { Hono } from 'hono'
import { compactVerify, generateKeyPair, importJWK, SignJWT } from 'jose'
import pg from 'pg'
import { z } from 'zod'
import { type RuntimeClaims, reportDataOf } from '../../src/rats/runtime-claims.ts'
import { measurementOf, PUBLIC_URL } from './agents.ts'

const [, , databaseUrl = '', port = '', releases = '', ark = ''] = process.argv

const used = pgTable('naive_used', { id: text().primaryKey(), at: timestamp().notNull() })
const appraised = pgTable('naive_appraised', {
  id: uuid().primaryKey(),
  at: timestamp().notNull(),
  agent: text().notNull(),
  findings: json().notNull(),
  claims: json().notNull(),
  quote: text().notNull(),
})
const pool = new pg.Pool({ connectionString: databaseUrl })
await pool.query(`create table if not exists naive_used (id text primary key, at timestamp not null);
create table if not exists naive_appraised (id uuid primary key, at timestamp not null, agent text not null, findings json not null, claims json not null, quote text not null);
create index if not exists naive_at on naive_appraised (at);`)
const database = drizzle(pool)

const secret = randomBytes(32)
const { privateKey } = await generateKeyPair('ES256')
const approved = Array.from({ length: Number(releases) }, (_, n) => ({
  agent: `agent-${n}`,
  measurement: Buffer.from(measurementOf(`agent-${n}`)).toString('hex'),
}))

const bodySchema = z.object({
  evidence: z.object({ quote: z.string(), auxblob: z.string() }),
  endorsements: z.object({ certificates: z.array(z.string()), crls: z.array(z.string()) }),
  runtimeClaims: z.record(z.string(), z.string()),
  jwk: z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string() }),
})

const hono = new Hono()
hono.post('/v1/challenges', (context) => {
  const random = randomBytes(40)
  const code = createHmac('sha256', secret).update(random).digest().subarray(0, 24)
  return context.json({ nonce: Buffer.concat([random, code]).toString('base64url') })
})
hono.post('/v1/attestations', async (context) => {
  const raw = await context.req.text()
  const body = bodySchema.parse(JSON.parse(raw))
  // The schema has checked that each is text.
  const claims = body.runtimeClaims as unknown as RuntimeClaims
  const nonce = Buffer.from(claims.nonce, 'base64url')
  const code = createHmac('sha256', secret).update(nonce.subarray(0, 40)).digest().subarray(0, 24)
  if (!code.equals(nonce.subarray(40))) return context.json({ code: 'challenge' }, 403)
  await compactVerify(
    context.req.header('attestation-proof') ?? '',
    await importJWK(body.jwk, 'ES256'),
  )
  const report = Buffer.from(body.evidence.quote, 'base64url')
  const findings = await judge(report, body, claims)
  if (findings.some(({ ok }) => !ok)) return context.json({ code: 'rejected', findings }, 403)
  const id = crypto.randomUUID()
  const token = await new SignJWT({ tenant: claims.tenant, cnf: { jkt: claims.sig_jkt } })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
    .setIssuer(PUBLIC_URL)
    .setSubject(`spiffe://attest.example.com/${claims.agent}`)
    .setAudience('kms.example')
    .setJti(id)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey)
  const at = new Date()
  await database.insert(used).values({ id: nonce.toString('hex'), at })
  await database.insert(appraised).values({
    id,
    at,
    agent: claims.agent,
    findings,
    claims,
    quote: body.evidence.quote,
  })
  return context.json({ id, token })
})

interface Finding {
  readonly id: string
  readonly ok: boolean
}

/** Fixed offsets of a version 5 report: AMD 56860. */
async function judge(
  report: Buffer,
  { evidence, endorsements }: z.infer<typeof bodySchema>,
  claims: RuntimeClaims,
): Promise<readonly Finding[]> {
  const [vcek, ask] = certificatesOf(Buffer.from(evidence.auxblob, 'base64url'))
  const root = new X509Certificate(ark)
  const crl = new X509Crl(Buffer.from(endorsements.crls[0] ?? '', 'base64url'))
  if (!vcek || !ask) return [{ id: 'chain', ok: false }]
  const r = Buffer.from(report.subarray(0x2a0, 0x2d0)).reverse()
  const s = Buffer.from(report.subarray(0x2e8, 0x318)).reverse()
  const key = await crypto.subtle.importKey(
    'spki',
    vcek.publicKey.rawData,
    { name: 'ECDSA', namedCurve: 'P-384' },
    false,
    ['verify'],
  )
  const isGenuine = await crypto.subtle.verify(
    { name: 'ECDSA', hash: 'SHA-384' },
    key,
    Buffer.concat([r, s]),
    report.subarray(0, 0x2a0),
  )
  const measurement = report.subarray(0x90, 0xc0).toString('hex')
  const release = approved.find((each) => each.agent === claims.agent)
  const now = new Date()
  return [
    { id: 'root', ok: await root.verify({ signatureOnly: true }) },
    { id: 'ask', ok: await ask.verify({ publicKey: root.publicKey, date: now }) },
    { id: 'vcek', ok: await vcek.verify({ publicKey: ask.publicKey, date: now }) },
    { id: 'crl', ok: await crl.verify({ publicKey: root.publicKey }) },
    { id: 'revoked', ok: crl.findRevoked(ask) === null && crl.findRevoked(vcek) === null },
    { id: 'signature', ok: isGenuine },
    { id: 'policy', ok: (report.readBigUInt64LE(8) & (1n << 19n)) === 0n },
    { id: 'vmpl', ok: report.readUInt32LE(0x30) === 0 },
    {
      id: 'binding',
      ok: report.subarray(0x50, 0x90).equals(Buffer.from(reportDataOf(claims))),
    },
    { id: 'measurement', ok: release?.measurement === measurement },
  ]
}

/** GHCB certificate table: GUID (16), offset, length, until an empty row. */
function certificatesOf(table: Buffer): readonly X509Certificate[] {
  const found: X509Certificate[] = []
  for (let row = 0; row + 24 <= table.length; row += 24) {
    const offset = table.readUInt32LE(row + 16)
    const length = table.readUInt32LE(row + 20)
    if (length === 0) break
    found.push(new X509Certificate(table.subarray(offset, offset + length)))
  }
  return found
}

serve({ fetch: hono.fetch, port: Number(port), hostname: '127.0.0.1' }, () =>
  console.log('the naive one answers'),
)
