/**
 * hashicorp/cap (Vault, OpenBao) and spiffe/go-spiffe fetch discovery, keys and bundle from a running service over TLS, take
 * its tokens, and refuse whatever is wrong with one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { revokeKey } from '#src/service/key-rotation.ts'
import { titled } from '../go-tool.ts'
import { AUDIENCE, type Issued, issued, SUBJECT } from './issued.ts'
import { judgeBy, type Question } from './libraries.ts'

const cap = judgeBy('cap')
const spiffe = judgeBy('spiffe')

describe.skipIf(cap.missing !== undefined && spiffe.missing !== undefined)(
  'relying parties',
  () => {
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
    const bundle = (kind: 'jwt' | 'wit') => ({
      kind,
      bundleUrl: `${scene.front.url}/.well-known/spiffe-bundle`,
      trustDomain: 'localhost',
    })

    describe.skipIf(cap.missing !== undefined)(titled('hashicorp/cap', cap), () => {
      test('accepts a token for federation, found by discovery', async () => {
        const [verdict] = await cap.ask(question([scene.federation]))
        expect(verdict).toEqual({ accepted: true, subject: SUBJECT, error: '' })
      })

      test('refuses everything else', async () => {
        const verdicts = await cap.ask(question(Object.values(scene.refused)))
        expect(acceptedOf(scene.refused, verdicts)).toEqual([])
      })
    })

    describe.skipIf(spiffe.missing !== undefined)(titled('spiffe/go-spiffe', spiffe), () => {
      test('accepts a token for federation as a JWT-SVID, by our bundle', async () => {
        const [verdict] = await spiffe.ask({ ...question([scene.federation]), ...bundle('jwt') })
        expect(verdict).toEqual({ accepted: true, subject: SUBJECT, error: '' })
      })

      test('refuses everything else as a JWT-SVID', async () => {
        const { refused } = scene
        const verdicts = await spiffe.ask({ ...question(Object.values(refused)), ...bundle('jwt') })
        // nbf is optional in a JWT-SVID, and so is its check: go-spiffe makes it, with a minute of leeway.
        expect(acceptedOf(refused, verdicts)).toEqual([])
      })

      test('accepts a token for workloads as a WIT-SVID, by our bundle', async () => {
        const [verdict] = await spiffe.ask({ ...question([scene.workload]), ...bundle('wit') })
        expect(verdict).toEqual({ accepted: true, subject: SUBJECT, error: '' })
      })

      test('refuses everything else as a WIT-SVID', async () => {
        const { refusedWorkload: refused } = scene
        const verdicts = await spiffe.ask({ ...question(Object.values(refused)), ...bundle('wit') })
        expect(acceptedOf(refused, verdicts)).toEqual([])
      })
    })

    test.skipIf(cap.missing !== undefined || spiffe.missing !== undefined)(
      'whoever fetches the keys after one was revoked takes nothing of it any more',
      async () => {
        const { service } = scene
        const issuer = service.verifier.tenants.get('default')?.issuers.hardware
        const kid = issuer?.signer('federation', service.clock.at).kid ?? ''
        await revokeKey(service.verifier, { kid, by: 'otto' })
        await service.chores('keys')
        const asked = question([scene.federation])
        expect(await cap.ask(asked)).toMatchObject([{ accepted: false }])
        expect(await spiffe.ask({ ...asked, ...bundle('jwt') })).toMatchObject([
          { accepted: false },
        ])
      },
    )
  },
)

/** Names of those that were accepted, with what was made of them. */
function acceptedOf(
  tokens: Readonly<Record<string, string>>,
  verdicts: readonly { readonly accepted: boolean; readonly subject: string }[],
): readonly string[] {
  return Object.keys(tokens).filter((_, place) => verdicts[place]?.accepted)
}
