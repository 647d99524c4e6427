/**
 * Certificates out of PEM text (RFC 7468), as quotes and collateral carry them. Strict, because the text around the DER is
 * signed by nobody: one spelling per certificate, nothing between the blocks, at most line ends and NULs after the last.
 */
import { Malformed } from '../../bytes/malformed.ts'

/** Lines of 64 characters but for the last; then one line end, or none at the end of the text. */
const BLOCK =
  /-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/]{64}\r?\n)*(?:[A-Za-z0-9+/=]{1,64}\r?\n)?)-----END CERTIFICATE-----(?:\r?\n|$)/y
const LONGEST_TEXT = 64 * 1024

/** DER of one to `most` certificates, in the order of the text. Throws Malformed; `path` names the text in its message. */
export function certificatesOfPem(
  text: string,
  { path, most }: { readonly path: string; readonly most: number },
): readonly Uint8Array[] {
  if (text.length > LONGEST_TEXT)
    throw new Malformed({ path, offset: 0 }, `${text.length} bytes`, `at most ${LONGEST_TEXT}`)
  const pem = withoutTerminators(text)
  const certificates: Uint8Array[] = []
  let offset = 0
  do {
    BLOCK.lastIndex = offset
    const block = BLOCK.exec(pem)
    if (!block)
      throw new Malformed({ path, offset }, 'other text', 'a PEM block of type CERTIFICATE')
    if (certificates.length === most)
      throw new Malformed({ path, offset }, 'another certificate', `at most ${most}`)
    certificates.push(canonicalBase64(block[1] ?? '', path, offset))
    offset = BLOCK.lastIndex
  } while (offset < pem.length)
  return certificates
}

/** Intel's quote generation counts the C string's terminator into the certification data. By index: `/\0+$/` is quadratic on NULs that something follows. */
export function withoutTerminators(text: string): string {
  let end = text.length
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--
  return text.slice(0, end)
}

function canonicalBase64(lines: string, path: string, offset: number): Uint8Array {
  const text = lines.replace(/\r?\n/g, '')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text)
    throw new Malformed({ path, offset }, 'another spelling', 'canonical base64')
  return new Uint8Array(bytes)
}
