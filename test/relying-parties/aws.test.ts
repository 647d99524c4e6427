/** AWS STS, AssumeRoleWithWebIdentity: what its documentation demands of issuer, keys, token and session tags. */
import { ISSUER } from './issuing.ts'
import {
  characters,
  claiming,
  demands,
  discovering,
  headed,
  isPlainHttps,
  keyFor,
  type Presented,
} from './rules.ts'

const create = 'IAM API, CreateOpenIDConnectProvider'
const keys = 'IAM user guide, Create an OIDC identity provider'
const assume = 'STS API, AssumeRoleWithWebIdentity'
const tagging = 'IAM user guide, Pass session tags in AWS STS'

interface Tags {
  readonly principal_tags: Readonly<Record<string, readonly string[]>>
  readonly transitive_tag_keys: readonly string[]
}
const NAME = 'https://aws.amazon.com/tags'
const tagsOf = ({ claims }: Presented) => claims[NAME] as Tags
const tagged = (change: Partial<Tags>) => (presented: Presented) =>
  claiming({ [NAME]: { ...tagsOf(presented), ...change } })(presented)

demands('AWS STS', {
  audience: 'sts.amazonaws.com',
  rules: [
    [
      'the issuer is https, without port and without query',
      create,
      ({ claims }) => isPlainHttps(claims.iss),
      claiming({ iss: `${ISSUER}:8443` }),
    ],
    [
      'discovery names the issuer exactly as the token does',
      keys,
      ({ discovery, claims }) => discovery.issuer === claims.iss,
      discovering({ issuer: `${ISSUER}/` }),
    ],
    [
      'discovery lists jwks_uri, response types, subject types and signing algorithms',
      keys,
      ({ discovery }) =>
        [
          'jwks_uri',
          'response_types_supported',
          'subject_types_supported',
          'id_token_signing_alg_values_supported',
        ].every((name) => discovery[name] !== undefined),
      discovering({ jwks_uri: undefined }),
    ],
    [
      'the key set has 1 to 100 RSA keys and at most 100 EC keys',
      keys,
      ({ jwks }) => {
        const [rsa, ec] = ['RSA', 'EC'].map((kty) => jwks.keys.filter((key) => key.kty === kty))
        return rsa !== undefined && rsa.length >= 1 && rsa.length <= 100 && (ec?.length ?? 0) <= 100
      },
      ({ jwks }) => ({ jwks: { keys: jwks.keys.filter(({ kty }) => kty !== 'RSA') } }),
    ],
    [
      'the algorithm is RS256, RS384, RS512, ES256, ES384 or ES512',
      keys,
      ({ header }) => /^[RE]S(256|384|512)$/.test(String(header.alg)),
      headed({ alg: 'EdDSA' }),
    ],
    [
      'the header names a key of the set',
      keys,
      (presented) => keyFor(presented, presented.jwks) !== undefined,
      headed({ kid: 'another' }),
    ],
    [
      'the audience is one text of at most 255 characters',
      create,
      ({ claims }) => characters(claims.aud) <= 255,
      claiming({ aud: ['sts.amazonaws.com'] }),
    ],
    [
      'there are iss, sub, aud, iat and exp',
      assume,
      ({ claims }) => ['iss', 'sub', 'aud', 'iat', 'exp'].every((name) => name in claims),
      ({ claims: { iat: _, ...claims } }) => ({ claims }),
    ],
    [
      'the whole token has at most 20,000 characters',
      assume,
      ({ token }) => token.length <= 20_000,
      ({ token }) => ({ token: token.padEnd(20_001, 'A') }),
    ],
    [
      'session tags are lists of one text',
      tagging,
      (presented) =>
        Object.values(tagsOf(presented).principal_tags).every(
          (values) => values.length === 1 && typeof values[0] === 'string',
        ),
      tagged({ principal_tags: { agent: ['a', 'b'] } }),
    ],
    [
      'there are at most 50 tags, with keys up to 128 and values up to 256 characters, none called aws:',
      tagging,
      (presented) => {
        const tags = Object.entries(tagsOf(presented).principal_tags)
        return (
          tags.length <= 50 &&
          tags.every(
            ([key, [value = '']]) =>
              key.length <= 128 && value.length <= 256 && !/^aws:/i.test(key),
          )
        )
      },
      tagged({ principal_tags: { 'aws:agent': ['a'] } }),
    ],
    [
      'tags are letters, digits, spaces and _.:/=+@-',
      tagging,
      (presented) =>
        Object.entries(tagsOf(presented).principal_tags).every((tag) =>
          tag.flat().every((text) => /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(text)),
        ),
      tagged({ principal_tags: { agent: ['a;b'] } }),
    ],
    [
      'whatever is transitive is a tag',
      tagging,
      (presented) => {
        const { principal_tags: tags, transitive_tag_keys: transitive } = tagsOf(presented)
        return transitive.every((key) => key in tags)
      },
      tagged({ transitive_tag_keys: ['other'] }),
    ],
  ],
})
