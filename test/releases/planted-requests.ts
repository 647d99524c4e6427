/** Requests that are wrong, with a secret wherever somebody could write one by mistake. */

export interface WrongRequest {
  readonly name: string
  readonly path: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** `admin`: headers of somebody who may put secrets; `other`: of somebody who may not. */
export function wrongRequests(
  secret: string,
  {
    admin,
    other,
    encJwk,
  }: {
    readonly admin: Readonly<Record<string, string>>
    readonly other: Readonly<Record<string, string>>
    readonly encJwk: object
  },
): readonly WrongRequest[] {
  const base64 = Buffer.from(secret).toString('base64')
  const db = { name: 'secret:db', secret: base64 }
  const put = (name: string, body: object | string, headers = admin): WrongRequest => ({
    name,
    path: '/v1/resources',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  })
  return [
    put('cut', `{"name":"secret:db","secret":"${base64}`),
    put('text', { ...db, secret }),
    put('twice', `{"secret":"${base64}","secret":"${base64}"}`),
    put('bytes', { ...db, secret: [...Buffer.from(secret)] }),
    put('large', { ...db, secret: base64.repeat(2000) }),
    put('rule', { ...db, approvals: secret }),
    put('path', { ...db, brokerPath: `a/${base64}` }),
    put('role', db, other),
    put('nobody', db, { authorization: `Bearer ${secret}` }),
    put('basic', db, { authorization: `Basic ${base64}` }),
    put('type', secret, { ...admin, 'content-type': 'text/plain' }),
    {
      name: 'token',
      path: '/v1/releases',
      body: JSON.stringify({ resource: 'secret:db', encJwk }),
      headers: { authorization: `DPoP ${secret}`, dpop: secret },
    },
    {
      name: 'introspect',
      path: '/v1/introspections',
      body: JSON.stringify({ token: secret }),
      headers: admin,
    },
  ]
}
