/**
 * A forge says that the policy repository has news. It is only a nudge: what is then accepted is decided by signatures, so
 * the body is read for its HMAC and for nothing else.
 */
import { Problem } from '../problems.ts'
import { tenantName } from './request-schemas.ts'
import type { Route } from './route.ts'
import { isAuthentic } from './webhook-authenticity.ts'

export interface PolicyWebhook {
  readonly secret: string
  /** Costs one look at the repository in a few seconds, however often it is called. */
  readonly nudge: () => void
}

/** By tenant; one without a webhook has no such path. */
export function webhookRoutes(webhooks: ReadonlyMap<string, PolicyWebhook>): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/webhooks/policy/{tenant}',
      parameters: { tenant: tenantName },
      summary: 'A forge’s webhook: look for a new policy soon. The body is read for its HMAC only',
      budget: 'public',
      headers: [
        {
          name: 'X-Hub-Signature-256',
          required: false,
          description: 'sha256= and the HMAC-SHA-256 of the body in hex (GitHub, Gitea, Forgejo).',
        },
        {
          name: 'X-Gitlab-Token',
          required: false,
          description: 'The secret itself (GitLab), where there is no signature.',
        },
      ],
      response: undefined,
      status: 202,
      problems: ['route-unknown', 'webhook-unauthentic', 'body-too-large', 'request-malformed'],
      answer: async ({ request, parameters: { tenant = '' } }) => {
        const webhook = webhooks.get(tenant)
        if (!webhook) throw new Problem('route-unknown', 'no route has this path')
        if (!(await isAuthentic(request, webhook.secret)))
          throw new Problem(
            'webhook-unauthentic',
            'neither X-Hub-Signature-256 nor X-Gitlab-Token shows that the sender knows the secret',
          )
        webhook.nudge()
        return new Response(null, { status: 202 })
      },
    },
  ]
}
