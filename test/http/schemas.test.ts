/** The JSON Schemas of policy documents, for editors: public, cacheable, and asked for again without being sent again. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { policySchemas } from '#src/policy/documents/json-schemas.ts'
import { get, type RunningService, runService } from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())

test('all are listed, each with an address under which it is', async () => {
  const { json, headers } = await get(`${service.url}/v1/schemas`)
  expect(headers.get('cache-control')).toBe('public, max-age=3600')
  expect(json.schemas.map(({ name }: { name: string }) => name)).toEqual([...policySchemas.keys()])
  for (const { name, url } of json.schemas) {
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toBe('application/schema+json')
    expect(await response.json()).toEqual(policySchemas.get(name))
  }
})

test('one that did not change is not sent again', async () => {
  const url = `${service.url}/v1/schemas/AgentRelease`
  const first = await fetch(url)
  const etag = first.headers.get('etag') ?? ''
  expect(etag).toMatch(/^"[\w-]{43}"$/)
  const ask = async (tag: string, method = 'GET') => {
    const response = await fetch(url, { method, headers: { 'if-none-match': tag } })
    return [response.status, (await response.text()) === '', response.headers.get('etag')]
  }
  expect(await ask(etag)).toEqual([304, true, etag])
  expect(await ask(`"other", W/${etag}`)).toEqual([304, true, etag])
  expect(await ask('*')).toEqual([304, true, etag])
  expect(await ask('"other"')).toEqual([200, false, etag])
  expect(await ask('"other"', 'HEAD')).toEqual([200, true, etag])
})
