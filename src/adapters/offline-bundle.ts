/**
 * Endorsements carried to and from a cache in a signed file. The signature says who put the bundle together; whether what
 * is in it is AMD's and Intel's is judged as always, at every appraisal. All of a bundle is taken, or nothing.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { Malformed } from '../bytes/malformed.ts'
import {
  type BundleEntry,
  BundleRefused,
  type EndorsementLibrary,
} from '../service/endorsement-source.ts'
import { nameOf, subjectOf } from '../service/endorsement-subject.ts'
import type { Clock } from '../service/ports.ts'
import { type EndorsementCache, heldOf, type NamedEndorsement } from './endorsement-cache.ts'
import { decodeParts, encodeParts } from './endorsement-cache-encoding.ts'
import { examine } from './endorsement-cache-examine.ts'
import {
  type BundleObject,
  decodeBundle,
  encodeBundle,
  fingerprintOf,
  type ManifestEntry,
} from './offline-bundle-format.ts'

/** How far the clocks of the two sides may be apart. */
const CLOCK_TOLERANCE_MS = 3600_000

export function endorsementLibrary(cache: EndorsementCache, clock: Clock): EndorsementLibrary {
  return {
    fetch: cache.fetch,

    async exportBundle(privateKey) {
      const key = ed25519(() => createPrivateKey(privateKey), 'private')
      const all = await cache.all()
      if (all.length === 0)
        throw new BundleRefused('nothing is held, so there is nothing to export; fetch first')
      const bytes = encodeBundle(all.map(objectOf), { created: clock.now(), key })
      return { bytes, entries: all.map(entryOf), signer: fingerprintOf(createPublicKey(key)) }
    },

    async importBundle({ bytes, publicKey, olderIsAllowed }) {
      const key = ed25519(() => createPublicKey(publicKey), 'public')
      const { manifest, objects } = decodeBundle(bytes, key)
      assertPast('created', manifest.created, clock.now())
      const named = objects.map((object) => namedOf(object, manifest.created))
      assertEachOnce(named)
      if (!olderIsAllowed) assertNoneOlder(named, await cache.all())
      for (const each of named) await cache.put(each)
      const { created, signer } = manifest
      return { created, signer, entries: named.map(entryOf) }
    },
  }
}

function ed25519(read: () => KeyObject, kind: 'private' | 'public'): KeyObject {
  let key: KeyObject
  try {
    key = read()
  } catch (cause) {
    throw new BundleRefused(`the ${kind} key is not a ${kind} key in PEM`, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new BundleRefused(`the ${kind} key is ${key.asymmetricKeyType}, expected ed25519`)
  return key
}

function objectOf({ subject, held }: NamedEndorsement): BundleObject {
  const bytes = encodeParts(held.parts)
  const { issuedAt, fetchedAt, notAfter, digest: sha256 } = held
  const name = nameOf(subject)
  return { entry: { name, sha256, size: bytes.length, issuedAt, fetchedAt, notAfter }, bytes }
}

/** The dates in the manifest are a copy for people and for the rollback rule; they must be those of the document. */
function namedOf({ entry, bytes }: BundleObject, created: Date): NamedEndorsement {
  const subject = subjectOf(entry.name)
  if (!subject) throw new BundleRefused(`${entry.name} is not the name of an endorsement`)
  assertPast(`the fetch of ${entry.name}`, entry.fetchedAt, created)
  try {
    const parts = decodeParts(bytes)
    const lifetime = examine(subject, parts)
    assertSameDate(entry, 'issuedAt', lifetime.issuedAt)
    assertSameDate(entry, 'notAfter', lifetime.notAfter)
    return { subject, held: heldOf(parts, lifetime, entry.fetchedAt) }
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw new BundleRefused(`${entry.name} is not what its name says: ${cause.message}`, { cause })
  }
}

function assertSameDate(entry: ManifestEntry, field: 'issuedAt' | 'notAfter', found: Date): void {
  if (entry[field].getTime() !== found.getTime())
    throw new BundleRefused(
      `${entry.name}: the manifest says ${field} ${entry[field].toISOString()}, the document ${found.toISOString()}`,
    )
}

function assertPast(what: string, instant: Date, now: Date): void {
  if (instant.getTime() > now.getTime() + CLOCK_TOLERANCE_MS)
    throw new BundleRefused(
      `${what} is dated ${instant.toISOString()}, after ${now.toISOString()}: a clock is wrong, or the bundle`,
    )
}

function assertEachOnce(named: readonly NamedEndorsement[]): void {
  const names = new Set(named.map(({ subject }) => nameOf(subject)))
  if (names.size !== named.length) throw new BundleRefused('the bundle holds a document twice')
}

/** An older list may lack a revocation, an older TCB info a vulnerability. */
function assertNoneOlder(
  named: readonly NamedEndorsement[],
  all: readonly NamedEndorsement[],
): void {
  const issued = new Map(all.map(({ subject, held }) => [nameOf(subject), held.issuedAt]))
  for (const { subject, held } of named) {
    const known = issued.get(nameOf(subject))
    if (known && held.issuedAt < known)
      throw new BundleRefused(
        `${nameOf(subject)} was issued at ${held.issuedAt.toISOString()}, before the one of ${known.toISOString()} that is held`,
      )
  }
}

function entryOf({ subject, held }: NamedEndorsement): BundleEntry {
  const { issuedAt, fetchedAt, notAfter } = held
  return { subject, issuedAt, fetchedAt, notAfter }
}
