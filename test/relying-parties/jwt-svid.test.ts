/** SPIFFE JWT-SVID: each MUST of the standard that speaks about the token. */
import { claiming, demands, headed, keyFor, utf8Bytes } from './rules.ts'

const svid = 'SPIFFE JWT-SVID'
const bundle = 'SPIFFE JWT-SVID, section 6.1'

demands('JWT-SVID', {
  audience: 'sts.amazonaws.com',
  rules: [
    [
      'alg is one of RS, ES, PS with 256, 384 or 512 bits',
      `${svid}, section 2.1`,
      ({ header }) => /^([RPE])S(256|384|512)$/.test(String(header.alg)),
      headed({ alg: 'EdDSA' }),
    ],
    [
      'typ is JWT or JOSE where it is there',
      `${svid}, section 2.3`,
      ({ header }) => header.typ === undefined || /^(JWT|JOSE)$/.test(String(header.typ)),
      headed({ typ: 'at+jwt' }),
    ],
    [
      'no other header is there',
      `${svid}, section 2`,
      ({ header }) => Object.keys(header).every((name) => /^(alg|kid|typ)$/.test(name)),
      headed({ jku: 'https://attest.example.com' }),
    ],
    [
      'sub is a SPIFFE ID of at most 2,048 bytes',
      `${svid}, section 3.1; SPIFFE-ID, section 2.3`,
      ({ claims }) =>
        /^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/.test(String(claims.sub)) &&
        utf8Bytes(claims.sub) <= 2048,
      claiming({ sub: 'simulated:spiffe://attest.example.com/t/default' }),
    ],
    [
      'its trust domain is the host of the issuer',
      'SPIFFE-ID, section 2.1',
      ({ claims }) => new URL(String(claims.sub)).host === new URL(String(claims.iss)).host,
      claiming({ sub: 'spiffe://other.example/t/default' }),
    ],
    [
      'aud is there, and only one as is advised',
      `${svid}, section 3.2`,
      ({ claims }) => [claims.aud].flat().length === 1 && claims.aud !== undefined,
      claiming({ aud: ['a', 'b'] }),
    ],
    [
      'exp is there',
      `${svid}, section 3.3`,
      ({ claims }) => Number.isInteger(claims.exp),
      claiming({ exp: undefined }),
    ],
    [
      'it is a JWS in compact form',
      `${svid}, section 5.1`,
      ({ token }) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token),
      ({ token }) => ({ token: `${token}.` }),
    ],
    [
      'the bundle has its key, with use jwt-svid and a kid',
      bundle,
      (presented) => keyFor(presented, presented.bundle)?.use === 'jwt-svid',
      headed({ kid: 'another' }),
    ],
    [
      'every entry of the bundle has a use that the standard names',
      'SPIFFE Trust Domain and Bundle, section 4.2.2',
      (presented) =>
        presented.bundle.keys.every(({ use }) => /^(jwt|wit|x509)-svid$/.test(String(use))),
      ({ bundle: { keys } }) => ({ bundle: { keys: [...keys, { use: 'sig' }] } }),
    ],
  ],
})
