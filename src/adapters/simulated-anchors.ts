/** Roots of simulated hardware, from a folder that the configuration names. What chains to them never counts as hardware. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Anchor } from '../pki/anchor.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import { Problem } from '../problems.ts'
import type { VectorAnchor } from '../rats/vector.ts'
import { certificatesOfPem } from '../tee/dcap/pem.ts'

/** Every `*.pem` of the folder. Throws Problem('configuration-invalid'), also when there is none. */
export async function simulatedAnchors(folder: string): Promise<readonly Anchor[]> {
  try {
    const files = (await readdir(folder)).filter((name) => name.endsWith('.pem')).toSorted()
    if (files.length === 0) throw new Error('it holds no .pem file')
    const read = files.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8')
      return certificatesOfPem(text, { path: name, most: 8 })
    })
    return (await Promise.all(read))
      .flat()
      .map((der) => simulatedAnchor({ der, product: undefined }))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('configuration-invalid', `the simulated roots in ${folder}: ${reason}`, {
      cause,
    })
  }
}

/** Throws Malformed. */
export function simulatedAnchor({ der, product }: VectorAnchor): Anchor {
  const certificate = decodeCertificate(der)
  // AMD has a root per product line and names it so; Intel has one for all.
  const named = /^ARK-([A-Za-z]+)$/.exec(certificate.commonName)?.[1]
  return { certificate, product: product ?? named, assurance: 'simulated' }
}
