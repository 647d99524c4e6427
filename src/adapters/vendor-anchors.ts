/**
 * The vendors' roots that Vouchsafe ships (certs/), as anchors. Every file must have the hash that the manifest states, so
 * that no single edit to the folder can slip a root in; any disagreement stops the program.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { type Anchor, type AnchorSet, anchorSet } from '../pki/anchor.ts'
import { type Certificate, decodeCertificate } from '../pki/certificate.ts'
import { Problem } from '../problems.ts'

const Manifest = z.array(
  z.object({
    file: z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+\.pem$/),
    product: z.string(),
    role: z.enum(['ark', 'ask', 'asvk', 'sgx-root']),
    sha256: z.string(),
  }),
)
type Entry = z.infer<typeof Manifest>[number]

/** Throws Problem('configuration-invalid'). `folder` ends with a slash. */
export async function vendorAnchors(folder: URL): Promise<AnchorSet> {
  const anchors: Anchor[] = []
  const intermediates: Certificate[] = []
  for (const entry of await manifestOf(folder)) {
    const certificate = await certificateOf(folder, entry)
    switch (entry.role) {
      case 'ark':
        anchors.push({ certificate, product: entry.product, assurance: 'hardware' })
        break
      case 'sgx-root':
        // Intel has one root for every product.
        anchors.push({ certificate, product: undefined, assurance: 'hardware' })
        break
      case 'ask':
      case 'asvk':
        intermediates.push(certificate)
    }
  }
  return anchorSet(anchors, intermediates)
}

async function manifestOf(folder: URL): Promise<readonly Entry[]> {
  try {
    return Manifest.parse(JSON.parse(await readFile(new URL('manifest.json', folder), 'utf8')))
  } catch (cause) {
    throw unusable(`${folder.pathname}manifest.json`, cause)
  }
}

async function certificateOf(folder: URL, { file, sha256 }: Entry): Promise<Certificate> {
  try {
    const pem = await readFile(new URL(file, folder), 'utf8')
    const [, body = ''] =
      /^-----BEGIN CERTIFICATE-----\n([^-]+)-----END CERTIFICATE-----\n$/.exec(pem) ?? []
    const certificate = decodeCertificate(new Uint8Array(Buffer.from(body, 'base64')))
    if (certificate.sha256 !== sha256)
      throw new Error(`its SHA-256 is ${certificate.sha256}, expected ${sha256}`)
    return certificate
  } catch (cause) {
    throw unusable(`${folder.pathname}${file}`, cause)
  }
}

function unusable(file: string, cause: unknown): Problem {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Problem('configuration-invalid', `the vendor root ${file} is not usable: ${reason}`, {
    cause,
  })
}
