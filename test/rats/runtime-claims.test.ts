/** The binding of evidence to an agent: which bytes go into REPORT_DATA. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type RuntimeClaims, reportDataOf, runtimeClaimNames } from '#src/rats/runtime-claims.ts'

const claims: RuntimeClaims = {
  nonce: 'n',
  verifier: 'https://attest.example.com',
  sig_jkt: 's',
  enc_jkt: 'e',
  tenant: 'acme',
  agent: 'invoice-bot',
  environment: 'prod',
  session: '',
  seq: '0',
  transcript: '',
}

test('it is SHA-512 over the domain, a zero byte and the canonical claims, written out here', () => {
  const text =
    'vouchsafe/report-data/v1\0{"agent":"invoice-bot","enc_jkt":"e","environment":"prod","nonce":"n","seq":"0","session":"","sig_jkt":"s","tenant":"acme","transcript":"","verifier":"https://attest.example.com"}'
  expect(Buffer.from(reportDataOf(claims)).toString('hex')).toBe(
    createHash('sha512').update(text).digest('hex'),
  )
})

test.each(runtimeClaimNames)('another %s gives other report data', (name) =>
  expect(reportDataOf({ ...claims, [name]: 'other' })).not.toEqual(reportDataOf(claims)),
)

test('what moves from one claim into its neighbour does not go unnoticed', () =>
  expect(reportDataOf({ ...claims, agent: 'invoice-botprod', environment: '' })).not.toEqual(
    reportDataOf(claims),
  ))

test('a property that is no claim changes nothing: it was never part of the binding', () =>
  expect(reportDataOf({ ...claims, extra: 'x' } as RuntimeClaims)).toEqual(reportDataOf(claims)))
