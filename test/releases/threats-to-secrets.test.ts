/**
 * The threats of docs/threat-model.md to what is released: keys that are exchanged, evidence that is relayed, envelopes that
 * somebody else made, and other tenants. None of them gets the secret, and none makes the agent take another.
 */
import { CompactSign, decodeJwt, exportJWK, generateKeyPair } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { toBase64Url } from '#src/bytes/encoding.ts'
import { reportDataOf } from '#src/rats/runtime-claims.ts'
import { hpkeSeal } from '#src/seal/hpke.ts'
import { openRelease } from '#src/seal/release-envelope.ts'
import { putResource } from '#src/service/put-resource.ts'
import { type AgentKeys, bornKeys, claimsFor } from '../../enclave/attestation.ts'
import { attestAt } from '../http/attempt.ts'
import {
  AT,
  agentOf,
  anchorsOf,
  attester,
  challenge,
  get,
  platform,
} from '../http/running-service.ts'
import { type Agent, type ReleaseScene, refusal, releaseScene, SECRET } from './scene.ts'

let scene: ReleaseScene
let agent: Agent

beforeAll(async () => {
  scene = await releaseScene({ acmeAnchors: anchorsOf(platform.anchors) })
  await scene.put('secret:db')
}, 30_000)
afterAll(() => scene.service.close())
beforeEach(async () => {
  agent = await scene.agent()
})

describe('another key to seal to', () => {
  test('of a thief who has token, key and proof on their way is refused', async () => {
    const thief = await bornKeys()
    expect(await scene.release(agent, { encJwk: thief.enc.publicKey })).toMatchObject(
      refusal(403, 'release-key-refused', thief.enc.thumbprint),
    )
  })

  test('of another attested agent is refused', async () => {
    const other = await scene.agent()
    expect(await scene.release(agent, { encJwk: other.keys.enc.publicKey })).toMatchObject(
      refusal(403, 'release-key-refused'),
    )
  })

  test('that is no point of the curve is refused', async () => {
    const { kty, crv, x } = agent.keys.enc.publicKey
    expect(await scene.release(agent, { encJwk: { kty, crv, x, y: x } })).toMatchObject(
      refusal(403, 'release-key-refused'),
    )
  })

  test('cannot be brought where the evidence was bound to none', async () => {
    const keys = await bornKeys()
    const { json } = await attestAt(scene.service, {
      keys,
      claims: { enc_jkt: '' },
      body: ({ enc_jwk: _, ...body }) => ({ ...body, audience: scene.service.url }),
    })
    const unbound = {
      keys,
      token: json.tokens[0].token,
      jti: json.tokens[0].jti,
      appraisal: json.id,
    }
    expect(await scene.release(unbound)).toMatchObject(
      refusal(403, 'release-key-refused', 'names no attested encryption key'),
    )
  })
})

describe('evidence that is relayed', () => {
  /** What the relay saw: the victim's evidence, made for the victim's claims. */
  const relayed = async (
    change: (claims: ReturnType<typeof claimsFor>, relay: AgentKeys) => object,
  ) => {
    const { identity } = await agentOf(scene.service)
    const victim = await bornKeys()
    const relay = await bornKeys()
    const nonce = await challenge(scene.service)
    const claims = claimsFor(identity, victim, nonce)
    return await attestAt(scene.service, {
      keys: relay,
      claims: { ...claims, ...change(claims, relay) },
      attester: { ...attester(), attest: () => attester().attest(reportDataOf(claims)) },
      body: (body) => ({ ...body, audience: scene.service.url }),
    })
  }

  test('with the relay’s keys in the claims is bound to others, and gets no token', async () => {
    const { status, json } = await relayed((_, relay) => ({
      sig_jkt: relay.sig.thumbprint,
      enc_jkt: relay.enc.thumbprint,
    }))
    expect([status, json.code, json.failing]).toEqual([
      403,
      'evidence-rejected',
      ['binding.report-data'],
    ])
  })

  test('with the victim’s keys in the claims is proved by nobody', async () => {
    const { status, json } = await relayed(() => ({}))
    expect([status, json.code]).toEqual([400, 'request-malformed'])
  })
})

describe('what is offered to an agent as its secret', () => {
  const expected = async () => {
    const issuer = scene.service.simulated
    const { json } = await get(`${issuer}/.well-known/jwks.json`)
    return {
      keys: json.keys,
      issuer,
      resource: 'secret:db',
      token: agent.jti,
      recipient: agent.keys.enc,
      at: AT,
    }
  }

  test('by somebody else who knows its public key and the whole exchange is refused', async () => {
    const answer = await scene.release(agent)
    const claims = decodeJwt(answer.json.envelope)
    const { enc, ct } = await hpkeSeal(agent.keys.enc.publicKey, new Uint8Array(32), {
      info: new TextEncoder().encode('vouchsafe/release/v1'),
      aad: new TextEncoder().encode(
        JSON.stringify({
          jti: claims.token,
          policy: claims.policy,
          proof: claims.proof,
          resource: 'secret:db',
          version: '1',
        }),
      ),
    })
    const { privateKey } = await generateKeyPair('ES256')
    const { kid } = JSON.parse(
      Buffer.from(answer.json.envelope.split('.')[0], 'base64url').toString(),
    )
    const hpke = { enc: toBase64Url(enc), ct: toBase64Url(ct) }
    const forged = await new CompactSign(
      new TextEncoder().encode(JSON.stringify({ ...claims, hpke })),
    )
      .setProtectedHeader({ alg: 'ES256', kid, typ: 'vouchsafe-release+jwt' })
      .sign(privateKey)
    const asked = { ...(await expected()), proof: String(claims.proof) }
    await expect(openRelease(forged, asked)).rejects.toThrow('no key of the pinned issuer')
    expect((await openRelease(answer.json.envelope, asked)).secret).toEqual(SECRET)
  })

  test('from an earlier request is refused', async () => {
    const earlier = await scene.release(agent)
    const proof = String(decodeJwt((await scene.release(agent)).json.envelope).proof)
    await expect(
      openRelease(earlier.json.envelope, { ...(await expected()), proof }),
    ).rejects.toThrow('its proof is')
  })

  test('of another resource that it may have as well is refused', async () => {
    await scene.put('secret:other')
    const other = await scene.release(agent, { body: { resource: 'secret:other' } })
    const proof = String(decodeJwt(other.json.envelope).proof)
    await expect(
      openRelease(other.json.envelope, { ...(await expected()), proof }),
    ).rejects.toThrow('its resource is secret:other')
  })

  test('of an older version than it needs is refused', async () => {
    await scene.put('secret:db', {}, SECRET)
    const old = await scene.release(agent, { body: { resource: 'secret:db', version: 1 } })
    const proof = String(decodeJwt(old.json.envelope).proof)
    await expect(
      openRelease(old.json.envelope, { ...(await expected()), proof, minimumVersion: 2 }),
    ).rejects.toThrow('it holds version 1')
  })

  test('by another issuer of the same service is refused', async () => {
    const answer = await scene.release(agent)
    const proof = String(decodeJwt(answer.json.envelope).proof)
    const { json } = await get(`${scene.service.url}/.well-known/jwks.json`)
    await expect(
      openRelease(answer.json.envelope, { ...(await expected()), proof, keys: json.keys }),
    ).rejects.toThrow('no key of the pinned issuer')
  })

  test('signed by a key of the issuer for tokens is refused', async () => {
    const answer = await scene.release(agent)
    const asked = { ...(await expected()), proof: String(decodeJwt(answer.json.envelope).proof) }
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const tokenKey = { ...(await exportJWK(publicKey)), kid: 'token key', use: 'sig', alg: 'ES256' }
    const resigned = await new CompactSign(
      new TextEncoder().encode(JSON.stringify(decodeJwt(answer.json.envelope))),
    )
      .setProtectedHeader({ alg: 'ES256', kid: 'token key', typ: 'vouchsafe-release+jwt' })
      .sign(privateKey)
    await expect(
      openRelease(resigned, { ...asked, keys: [...asked.keys, tokenKey] }),
    ).rejects.toThrow('no key of the pinned issuer')
  })
})

describe('another tenant', () => {
  const acme = async () => {
    const verifier = `${scene.service.url}/t/acme/simulated`
    const nonce = await challenge(scene.service, 'acme')
    return await scene.agent({ claims: { tenant: 'acme', verifier, nonce } })
  }

  test('has its own secrets, or none', async () => {
    const other = await acme()
    expect(await scene.release(other)).toMatchObject(refusal(404, 'resource-unknown'))
    const own = {
      tenant: 'acme',
      name: 'secret:db',
      settings: { acceptsSimulated: true },
      secret: new Uint8Array([1]),
      by: 'sara',
    }
    await putResource(scene.service.verifier, own, AT)
    const answer = await scene.release(other)
    expect((await scene.open(answer, other)).secret).toEqual(new Uint8Array([1]))
  })

  test('renews nobody else’s lease', async () => {
    const { json } = await scene.release(agent)
    const path = `/v1/releases/${json.release}/renewals`
    expect(await scene.ask(path, await acme(), { body: {} })).toMatchObject(
      refusal(404, 'lease-unknown'),
    )
  })
})
