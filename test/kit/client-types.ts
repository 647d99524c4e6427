/** What the typed client must refuse before anything is sent: compiled with the rest, never run. */
import { type VouchsafeClient, vouchsafeClient } from '../../kit/client/client.ts'

export async function typed(client: VouchsafeClient): Promise<void> {
  await client.v1.challenges.$post({ json: { tenant: 'default' } })
  // @ts-expect-error: a tenant is a name
  await client.v1.challenges.$post({ json: { tenant: 1 } })
  // @ts-expect-error: the body is not optional
  await client.v1.challenges.$post()
  // @ts-expect-error: there is no such operation
  await client.v1.challenges.$get()
  // @ts-expect-error: there is no such path
  await client.v1.chalenges.$post({ json: {} })
  // @ts-expect-error: an appraisal has a name
  await client.v1.appraisals[':id'].$get()
  // @ts-expect-error: evidence is not optional
  await client.v1.appraisals.$post({ json: { tenant: 'default' } })
  // @ts-expect-error: attestations are signed
  await client.v1.attestations.$post({ json: {} })

  const answer = await client.v1.appraisals[':id'].$get({ param: { id: 'x' } })
  if (answer.status === 200) {
    const explained = await answer.json()
    const verdict: 'issued' | 'refused' = explained.verdict
    // @ts-expect-error: of three
    const other: 'maybe' = explained.verdict
    // @ts-expect-error: only the longer answer has findings
    console.log(explained.findings, verdict, other)
    if (explained.explained === 'in full') console.log(explained.findings[0]?.cites)
  } else {
    const { code, next } = await answer.json()
    console.log(code satisfies string, next satisfies string)
    // @ts-expect-error: a problem is no verdict
    console.log((await answer.json()).verdict satisfies string)
  }
  // @ts-expect-error: a number is no token
  vouchsafeClient('https://attest.example.com', { operatorToken: 1 })
}
