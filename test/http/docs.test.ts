/** Does /docs show the contract to a browser that may load nothing from elsewhere and run nothing that stands in a page? */
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DOCS_SECURITY_POLICY } from '#src/http/docs-page.ts'
import { type RunningService, runService } from './running-service.ts'

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const browser = browsers.find((path) => existsSync(path))
const absent = browser === undefined && !process.env.CI
if (absent) console.warn('SKIPPED: /docs in a browser needs Chromium (apt-get install chromium)')

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())

describe('the files of /docs', () => {
  test.each([
    ['/docs', 'text/html; charset=utf-8'],
    ['/docs/start.js', 'text/javascript; charset=utf-8'],
    ['/docs/page.css', 'text/css; charset=utf-8'],
    ['/docs/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8'],
  ])('%s is %s, small on the wire, and asked for once', async (path, type) => {
    const response = await fetch(`${service.url}${path}`, {
      headers: { 'accept-encoding': 'gzip' },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(type)
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(response.headers.get('content-security-policy')).toBe(DOCS_SECURITY_POLICY)
    const etag = response.headers.get('etag') ?? ''
    const plain = await fetch(`${service.url}${path}`, {
      headers: { 'accept-encoding': 'gzip;q=0' },
    })
    expect(plain.headers.get('content-encoding')).toBeNull()
    expect(await plain.text()).toBe(await response.text())
    const again = await fetch(`${service.url}${path}`, { headers: { 'if-none-match': etag } })
    expect(again.status).toBe(304)
  })

  test('nothing else of the package is served', async () => {
    for (const path of [
      '/docs/',
      '/docs/index.html',
      '/docs/package.json',
      '/docs/../package.json',
    ])
      expect((await fetch(`${service.url}${path}`)).status, path).toBe(404)
  })

  test('the policy allows no page to bring its own scripts', () => {
    expect(DOCS_SECURITY_POLICY).toContain("default-src 'none'")
    expect(DOCS_SECURITY_POLICY).not.toMatch(/unsafe|\*|https?:/)
  })
})

test.skipIf(absent)(
  'a browser shows every operation, breaks no rule of the page and asks nobody else',
  { timeout: 60_000 },
  async () => {
    if (browser === undefined) throw new Error('no Chromium, and CI must have one')
    const running = await chromium.launch({
      executablePath: browser,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    })
    try {
      const page = await running.newPage()
      const asked: string[] = []
      const troubles: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      page.on('pageerror', (error) => troubles.push(error.message))
      page.on('console', (message) => {
        if (message.type() === 'error') troubles.push(message.text())
      })
      await page.addInitScript(`
        window.violations = []
        document.addEventListener('securitypolicyviolation', (event) =>
          window.violations.push(event.violatedDirective + ' ' + event.blockedURI))
      `)
      await page.goto(`${service.url}/docs`)
      await page.waitForSelector('.opblock')
      const contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
        readonly paths: Readonly<Record<string, object>>
      }
      const operations = Object.values(contract.paths).flatMap((each) => Object.keys(each)).length
      expect(await page.locator('.opblock').count()).toBe(operations)

      // Opened, tried out, answered.
      await page.locator('#operations-challenges-postV1Challenges .opblock-summary-control').click()
      await page.getByRole('button', { name: 'Try it out' }).click()
      await page.locator('#operations-challenges-postV1Challenges textarea').fill('{}')
      await page.getByRole('button', { name: 'Execute' }).click()
      const live = page.locator('.live-responses-table .response .response-col_status')
      await live.waitFor()
      expect(await live.textContent()).toMatch(/^200/)

      expect(await page.evaluate('window.violations')).toEqual([])
      expect(troubles).toEqual([])
      expect(
        asked.filter((url) => !url.startsWith(service.url) && !url.startsWith('data:')),
      ).toEqual([])

      // And what the page would break is noticed.
      await page.evaluate("document.body.append(document.createElement('style'))")
      await page.evaluate("document.querySelector('body > style').textContent = 'p {}'")
      expect(await page.evaluate('window.violations')).not.toEqual([])
    } finally {
      await running.close()
    }
  },
)
