import type { Clock } from '../clock';
import type { Transport } from '../http/transport';
import { AdminKeyAdmin, GrantAdmin, ServiceAdmin } from './access';
import { ClientAdmin } from './clients';
import { EventAdmin, OperationsAdmin } from './operations';
import { ProviderAdmin } from './providers';

/** Every route for admins, by subject. Bodies and answers are as the broker has them (openapi.json), in snake_case. */
export class Admin {
  readonly clients: ClientAdmin;
  readonly providers: ProviderAdmin;
  readonly services: ServiceAdmin;
  readonly grants: GrantAdmin;
  readonly adminKeys: AdminKeyAdmin;
  readonly events: EventAdmin;
  readonly operations: OperationsAdmin;

  constructor(transport: Transport, clock: Clock, random: () => number) {
    this.clients = new ClientAdmin(transport);
    this.providers = new ProviderAdmin(transport);
    this.services = new ServiceAdmin(transport);
    this.grants = new GrantAdmin(transport);
    this.adminKeys = new AdminKeyAdmin(transport);
    this.events = new EventAdmin({ transport, clock, random });
    this.operations = new OperationsAdmin(transport);
  }
}
