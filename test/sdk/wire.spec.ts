import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemTypes } from '../../apps/broker/src/problem';
import { rejectionResults } from '#tokens';
import { errorCodes, type RejectionView, TokenBroker } from '#sdk';
import { root } from '../harness/root';
import type * as sdk from '#sdk';
import type { AttemptView, RequestedRenewalView } from '../../apps/broker/src/admin/renewal.view';
import type { ClientView } from '../../apps/broker/src/admin/client.view';
import type { ConnectionTestView } from '../../apps/broker/src/admin/connection-test.view';
import type { GrantView } from '../../apps/broker/src/admin/grant.dto';
import type { KeyView } from '../../apps/broker/src/admin/key.view';
import type {
  DefinitionView,
  ProviderView,
  ValidationView,
  VersionView,
} from '../../apps/broker/src/admin/provider.view';
import type { ServiceView } from '../../apps/broker/src/admin/service.dto';
import type { EventView } from '../../apps/broker/src/ops/event.view';
import type { SummaryView } from '../../apps/broker/src/ops/summary.view';

const operations = JSON.parse(readFileSync(join(root, 'openapi.json'), 'utf8')) as {
  paths: Record<string, Record<string, { tags?: string[] }>>;
};

/** Compiles only where the two have the same members, and what the SDK says of each is no less exact. */
type Fits<Mine extends Theirs, Theirs> = keyof Theirs extends keyof Mine ? true : never;
const fitting: [
  Fits<sdk.AttemptView, AttemptView>,
  Fits<sdk.RequestedRenewalView, RequestedRenewalView>,
  Fits<sdk.ClientView, ClientView>,
  Fits<sdk.ConnectionTestView, ConnectionTestView>,
  Fits<sdk.GrantView, GrantView>,
  Fits<sdk.KeyView, KeyView>,
  Fits<sdk.DefinitionView, DefinitionView>,
  Fits<sdk.ProviderView, ProviderView>,
  Fits<sdk.ValidationView, ValidationView>,
  Fits<sdk.VersionView, VersionView>,
  Fits<sdk.ServiceView, ServiceView>,
  Fits<sdk.EventView, EventView>,
  Fits<sdk.SummaryView, SummaryView>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true];

describe('what the SDK knows of the broker', () => {
  it('is every code of an error, and no other', () => {
    expect([...errorCodes].sort()).toEqual(Object.keys(problemTypes).sort());
  });

  it('is what comes of a rejection', () => {
    const results: Record<RejectionView['renewal'], true> = {
      ...{ started: true, under_way: true, already_replaced: true, rate_limited: true },
    };
    expect(Object.keys(results).sort()).toEqual([...rejectionResults].sort());
  });

  it('is every view of the admin routes, member by member', () => {
    expect(fitting).not.toContain(false);
  });

  it('is every route for admins: each has its method', async () => {
    const called = new Set<string>();
    const answering = async (input: unknown, init?: RequestInit): Promise<Response> => {
      called.add(`${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`);
      const streamed = new Headers(init?.headers).get('accept') === 'text/event-stream';
      if (streamed) return new Response('', { headers: { 'content-type': 'text/event-stream' } });
      return Response.json({ items: [], key: 'k' });
    };
    const { admin } = new TokenBroker({ url: 'http://broker.test', key: 'tba_x', fetch: answering });
    const [name, id, version] = ['{name}', '{id}', { version: 1 }];
    const definition = { source: '' };
    await Promise.all([
      admin.clients.create({ name, provider: 'p', inputs: {} }),
      admin.clients.list().page(),
      admin.clients.get(name),
      admin.clients.update(name, {}, version),
      admin.clients.delete(name),
      admin.clients.enable(name),
      admin.clients.disable(name),
      admin.clients.renewals(name),
      admin.clients.renew(name),
      admin.providers.list().page(),
      admin.providers.create(definition),
      admin.providers.validate(definition),
      admin.providers.get(id),
      admin.providers.versions(id).page(),
      admin.providers.change(id, definition, version),
      admin.providers.delete(id),
      admin.providers.testConnection({ ...definition, inputs: {} }),
      admin.services.create(name),
      admin.services.list().page(),
      admin.services.get(name),
      admin.services.delete(name),
      admin.services.issueKey(name),
      admin.services.keys(name),
      admin.services.revokeKey(name, id),
      admin.grants.create({ service: name, label: 'a=b' }),
      admin.grants.list().page(),
      admin.grants.delete(id),
      admin.adminKeys.issue({ name, role: 'viewer' }),
      admin.adminKeys.list(),
      admin.adminKeys.revoke(id),
      admin.events.list().page(),
      admin.operations.summary(),
      admin.operations.audit().page(),
      admin.operations.auditReads().page(),
      admin.operations.renewalHours().page(),
    ]);
    const routes = Object.entries(operations.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { tags }]) => path.startsWith('/v1/') && !tags?.includes('tokens'))
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
    expect([...called].map(decodeURI).sort()).toEqual(routes.sort());
  });
});
