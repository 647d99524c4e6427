/**
 * What do the supplied revocation lists say about Intel's certificates? Two lists matter to a quote: the root's (PCK CA and
 * TCB signer) and the PCK CA's (PCK). Whether they are current is asked of each appraisal; whether they are genuine, once.
 */
import type { Certificate } from '../../pki/certificate.ts'
import {
  type Crl,
  decodeCrl,
  freshness,
  isRevoked,
  type RevocationSource,
  revocationSource,
} from '../../pki/crl.ts'
import { holdsAt, type Interval } from '../../pki/interval.ts'
import { ecdsaP256Sha256 } from '../../pki/scheme.ts'
import { type Judgement, notApplicable, refuse } from '../../rats/check.ts'
import { malformation } from './malformation.ts'

export interface Crls {
  readonly wellFormed: Judgement
  readonly decoded: readonly Crl[]
}

/** One authority's revocations as the supplied lists tell them. */
export interface Revocations {
  readonly authority: string
  readonly source: RevocationSource
  readonly authentic: Judgement
  /** When the newest genuine list is current; undefined when there is none. */
  readonly current: Interval | undefined
}

/** A list that cannot be read is refused and not passed over: it may be the one that would have said "revoked". */
export function decodeCrls(ders: readonly Uint8Array[]): Crls {
  try {
    return { wellFormed: true, decoded: ders.map(decodeCrl) }
  } catch (cause) {
    return { wellFormed: malformation('a supplied revocation list', cause), decoded: [] }
  }
}

export function revocationsOf(authority: Certificate, { decoded }: Crls): Revocations {
  const source = revocationSource(authority, decoded, ecdsaP256Sha256)
  const { forged } = source
  return {
    authority: authority.commonName,
    source,
    authentic: forged ? refuse(forged.sentence, forged.observed, forged.expected) : true,
    current: freshness(source),
  }
}

/** Asked of lists whatever their age: old news is still bad news. */
export function judgeNotRevoked(certificate: Certificate, by: Revocations): Judgement {
  if (by.source.authentic.length === 0)
    return notApplicable(`no revocation list of ${by.authority} was supplied`)
  return (
    !isRevoked(certificate, by.source) ||
    refuse(
      `${certificate.commonName} (serial ${certificate.serial}) is revoked by ${by.authority}`,
      certificate.serial,
      `a serial that the revocation list of ${by.authority} does not name`,
    )
  )
}

/** Answers "unavailable" and "stale" (RFC 5280 section 6.3.3); a revocation is another check's answer. */
export function judgeCurrent({ authority, current }: Revocations, at: Date): Judgement {
  if (current && holdsAt(current, at)) return true
  const expected = `a revocation list of ${authority} that is current at ${at.toISOString()}`
  return current
    ? refuse(
        `the newest revocation list of ${authority} is for ${current.notBefore.toISOString()} to ${current.notAfter.toISOString()}, not for ${at.toISOString()}`,
        'stale',
        expected,
      )
    : refuse(`no revocation list of ${authority} was supplied`, 'unavailable', expected)
}
