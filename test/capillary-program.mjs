// A program that calls Capillary's API, written from https://docs.capillarytech.com/reference/oauth and nothing else: it
// knows of no broker. It asks for a token, calls an API twice with it, and prints what came back, a line each.
const {
  CAPILLARY_TOKEN_BASE_URL: tokenBaseUrl,
  CAPILLARY_API_BASE_URL: apiBaseUrl,
  CAPILLARY_KEY: key,
  CAPILLARY_SECRET: secret,
} = process.env;

let token;

async function currentToken() {
  if (token && Date.now() < token.renewAt) return token.value;
  const answer = await fetch(`${tokenBaseUrl}/v3/oauth/token/generate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ key, secret }),
  });
  const { data, errors } = await answer.json();
  if (errors?.length > 0) throw new Error(`${errors[0].code} ${errors[0].message}`);
  print({ ttlSeconds: data.ttlSeconds });
  token = { value: data.accessToken, renewAt: Date.now() + data.ttlSeconds * 1000 };
  return token.value;
}

async function lookUpCustomer(mobile) {
  const headers = {
    'X-CAP-API-OAUTH-TOKEN': await currentToken(),
    'X-CAP-API-ATTRIBUTION-ENTITY-TYPE': 'TILL',
    'X-CAP-API-ATTRIBUTION-ENTITY-CODE': 'till-7',
    'Content-Type': 'application/json',
    Accept: 'application/json',
  };
  const answer = await fetch(`${apiBaseUrl}/v2/customers/lookup?source=INSTORE&identifierValue=${mobile}`, { headers });
  const { response } = await answer.json();
  return response.status;
}

function print(line) {
  console.log(JSON.stringify(line));
}

try {
  print(await lookUpCustomer('919000000001'));
  print(await lookUpCustomer('919000000002'));
} catch (error) {
  print({ error: error.message });
  process.exitCode = 1;
}
