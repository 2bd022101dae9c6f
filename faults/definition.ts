/** What the simulator speaks, as a definition of one's own: presets have no quota and no interval to test. */
export function ownDefinition(id: string, renew: object): object {
  return {
    id,
    title: `Simulated ${id}`,
    inputs: { base_url: { format: 'url' }, key: { secret: true }, secret: { secret: true } },
    steps: [
      {
        ...{ id: 'token', method: 'POST', url: '{{inputs.base_url}}/v3/oauth/token/generate' },
        body: { json: { key: '{{inputs.key}}', secret: '{{inputs.secret}}' } },
        fail_if: [{ path: 'errors', non_empty: true }],
      },
    ],
    token: {
      value: '{{steps.token.body.data.accessToken}}',
      expiry: [{ in: '{{steps.token.body.data.ttlSeconds}}' }],
    },
    present: { headers: { authorization: 'Bearer {{token}}' } },
    renew,
  };
}
