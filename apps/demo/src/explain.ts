import type { Seeded } from './seed';

/** What there is and what to try: lines that work as pasted. */
export function explain(demo: Seeded & { brokerUrl: string; simulatorUrl: string; adminKey: string }): void {
  const { brokerUrl, simulatorUrl, serviceKey, adminKey, clients } = demo;
  const fetchToken = (client: string) =>
    `curl -s ${brokerUrl}/v1/clients/${client}/token -H "Authorization: Bearer ${serviceKey}"`;
  const asAdmin = (path: string, options = '-s') =>
    `curl ${options} "${brokerUrl}/v1${path}" -H "Authorization: Bearer ${adminKey}"`;
  const pick = `node -pe 'JSON.parse(require("fs").readFileSync(0)).access_token'`;
  const width = Math.max(...Object.keys(clients).map((name) => name.length));
  console.log(`
Token Broker  ${brokerUrl}   (embedded: PGlite and memory; gone when this ends)
Simulator     ${simulatorUrl}   (plays Capillary)

Clients
${Object.entries(clients)
  .map(([name, says]) => `  ${name.padEnd(width)}  ${says}`)
  .join('\n')}

The service "checkout" fetches a token:
  ${fetchToken('loyalty-eu')}

It uses the token at the provider:
  curl -s ${simulatorUrl}/v2/customers/lookup -H "X-CAP-API-OAUTH-TOKEN: $(${fetchToken('loyalty-eu')} | ${pick})"

It is told why there is none:
  ${fetchToken('loyalty-apac')}
  ${fetchToken('loyalty-us')}
  ${fetchToken('loyalty-old')}

An admin looks around:
  ${asAdmin('/summary')}
  ${asAdmin('/clients/loyalty-us')}
  ${asAdmin('/audit')}
  curl -s ${brokerUrl}/metrics

What has happened: the last attempts of a client, changes of condition, and sums by the hour, written once a minute:
  ${asAdmin('/clients/loyalty-us/renewals')}
  ${asAdmin('/events?order=desc')} -H "Accept: application/json"
  ${asAdmin('/renewals')}

What happens: a renewal at once, and changes of condition as they come (Ctrl-C leaves them):
  ${asAdmin('/clients/loyalty-eu/renewals', '-s -X POST')}
  ${asAdmin('/events', '-sN')}

Pages to read and try the API: ${brokerUrl}/docs
Ctrl-C ends the demo.
`);
}
