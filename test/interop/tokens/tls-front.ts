/** The service over TLS, under a certificate of an authority that is made here: relying parties ask over nothing else. */
import 'reflect-metadata'
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

export interface TlsFront {
  /** `https://localhost:4711` */
  readonly url: string
  /** PEM. */
  readonly authorities: string
  /** From now on requests go to this address. */
  readonly passTo: (address: string) => void
  readonly close: () => Promise<void>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 24 * 3600_000

export async function tlsFront(): Promise<TlsFront> {
  const { authority, certificate, key } = await certificates()
  let behind: string | undefined
  const server = createServer({ cert: certificate, key }, (incoming, answer) => {
    if (behind === undefined) throw new Error('nobody is behind the front yet')
    const { method, headers, url = '/' } = incoming
    const asked = request(new URL(url, behind), { method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    asked.on('error', () => answer.destroy())
    incoming.pipe(asked)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server that listens has an address with a port.
  const { port } = server.address() as AddressInfo
  return {
    url: `https://localhost:${port}`,
    authorities: authority,
    passTo(address) {
      behind = address
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function certificates() {
  const [ca, own] = await Promise.all([keyPair(), keyPair()])
  const life = {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
  }
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...life,
    serialNumber: '01',
    name: 'CN=Test authority',
    keys: ca,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  })
  const certificate = await X509CertificateGenerator.create({
    ...life,
    serialNumber: '02',
    subject: 'CN=localhost',
    issuer: authority.subject,
    publicKey: own.publicKey,
    signingKey: ca.privateKey,
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', own.privateKey))
  return {
    authority: authority.toString('pem'),
    certificate: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`,
  }
}

async function keyPair() {
  return await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}
