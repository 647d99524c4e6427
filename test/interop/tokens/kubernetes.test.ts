/**
 * The OIDC authenticator of k8s.io/apiserver, configured as an API server is with a structured AuthenticationConfiguration,
 * takes our tokens and refuses whatever is wrong with one. In the long run only: building it takes over a minute.
 */

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signToken } from '#src/token/issuer.ts'
import { titled } from '../go-tool.ts'
import { AUDIENCE, type Issued, issued, SUBJECT } from './issued.ts'
import { judgeBy, type Question, skipped } from './libraries.ts'

const kubernetes = process.env.VOUCHSAFE_LONG
  ? judgeBy('kubernetes')
  : skipped('only with VOUCHSAFE_LONG: it takes long to build')

describe.skipIf(kubernetes.missing !== undefined)(titled('k8s.io/apiserver', kubernetes), () => {
  let scene: Issued
  beforeAll(async () => {
    scene = await issued()
  })
  afterAll(() => scene.close())

  const question = (tokens: readonly string[]): Question => ({
    issuer: scene.front.url,
    authorities: scene.front.authorities,
    audience: AUDIENCE,
    tokens,
  })

  test('accepts a token for federation, found by discovery, its claims mapped and validated in CEL', async () => {
    const [verdict] = await kubernetes.ask(question([scene.federation]))
    expect(verdict).toEqual({ accepted: true, subject: `agent:${SUBJECT}`, error: '' })
  })

  test('refuses everything else', async () => {
    const verdicts = await kubernetes.ask(question(Object.values(scene.refused)))
    expect(Object.keys(scene.refused).filter((_, place) => verdicts[place]?.accepted)).toEqual([])
  })

  test('refuses by its own rules what we signed and it does not want', async () => {
    const issuer = scene.service.verifier.tenants.get('default')?.issuers.hardware
    if (!issuer) throw new Error('no issuer')
    const claims = { ...decodeJwt(scene.federation), att_assurance: 'simulated' }
    const token = await signToken(issuer, {
      form: 'federation',
      claims,
      at: scene.service.clock.at,
    })
    expect(await kubernetes.ask(question([token]))).toMatchObject([
      { accepted: false, error: expect.stringContaining('the hardware is simulated') },
    ])
  })
})
