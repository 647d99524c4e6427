/** PEM text of certificates, as Intel's quotes and collateral carry it: 64 columns, line feeds, nothing between the blocks. */

export function pemOf(certificates: readonly Uint8Array[]): string {
  return certificates.map(block).join('')
}

function block(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
