import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, Reflector } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { createDocumentReader, createTokenRequester, loadPresets, systemClock } from '#providers';
import {
  Access,
  AdminKeys,
  Audit,
  Clients,
  Definitions,
  Events,
  GrantedClients,
  Grants,
  LoadedClients,
  MasterKeys,
  ReadAudit,
  RenewalHours,
  Retention,
  Services,
} from '#registry';
import { TokenService } from '#tokens';
import { ApiKeys, Attestations, Vault } from '#vault';
import { AdminKeysController } from './admin/admin-keys.controller';
import { AuditController } from './admin/audit.controller';
import { ClientsController } from './admin/clients.controller';
import { ConnectionTests } from './admin/connection-tests';
import { ConnectionTestsController } from './admin/connection-tests.controller';
import { GrantsController } from './admin/grants.controller';
import { ProvidersController } from './admin/providers.controller';
import { ReadsController } from './admin/reads.controller';
import { Registration } from './admin/registration';
import { RenewalsController } from './admin/renewals.controller';
import { ServicesController } from './admin/services.controller';
import { AccessGuard } from './auth/access.guard';
import { AccessSchedule } from './auth/access.schedule';
import { Authenticator } from './auth/authenticator';
import { CertificateDoor } from './auth/certificates/certificate-door';
import { JwtDoor } from './auth/jwt/jwt-door';
import { Proxies } from './auth/proxies';
import { Seldom } from './auth/seldom';
import { TlsCertificates } from './auth/tls/tls-certificates';
import type { Config } from './config';
import { OnlyClient } from './facades/only-client';
import type { Logger } from './logger';
import { BreakerRecorder } from './ops/breaker-recorder';
import { ConditionRecorder } from './ops/condition-recorder';
import { EventStream } from './ops/event-stream';
import { EventsController } from './ops/events.controller';
import { HealthController } from './ops/health.controller';
import { HourRecorder } from './ops/hour-recorder';
import { KeysSchedule } from './ops/keys.schedule';
import { Metrics } from './ops/metrics';
import { ReadRecorder } from './ops/read-recorder';
import { ReadSchedule } from './ops/read.schedule';
import { Readiness } from './ops/readiness';
import { RecordSchedule } from './ops/record.schedule';
import { RenewalHoursController } from './ops/renewal-hours.controller';
import { RenewalLog } from './ops/renewal-log';
import { RetentionSchedule } from './ops/retention.schedule';
import { SummaryController } from './ops/summary.controller';
import { ProblemFilter } from './problem.filter';
import { Proxy } from './proxy/proxy';
import { RenewalSchedule } from './renewal.schedule';
import type { Storage } from './storage';
import type { ReadObserver } from './tokens/token-answer';

/** Every part of the broker, joined. */
export interface Parts {
  config: Config;
  logger: Logger;
  tokens: TokenService;
  authenticator: Authenticator;
  onlyClient: OnlyClient;
  adminKeys: AdminKeys;
  definitions: Definitions;
  metrics: Metrics;
  /** Absent where reads are not audited. */
  reads?: ReadObserver;
  readiness: Readiness;
  renewals: RenewalSchedule;
  proxy: Proxy;
  /** Those in front of the broker. */
  proxies: Proxies;
  /** Absent: no listener with TLS. */
  tls?: TlsCertificates;
  keys: KeysSchedule;
  /** Writes what observers still hold: at the end, when no renewal will add to it. */
  flush(): Promise<void>;
  module: DynamicModule;
}

export const controllers = [
  AdminKeysController,
  AuditController,
  ClientsController,
  ConnectionTestsController,
  EventsController,
  GrantsController,
  HealthController,
  ProvidersController,
  ReadsController,
  RenewalHoursController,
  RenewalsController,
  ServicesController,
  SummaryController,
];

/** All wiring, on one page: read it from top to bottom. */
export function wire(config: Config, logger: Logger, storage: Storage): Parts {
  const { database, store, keyRing } = storage;
  const { allowedOrigins } = config;
  const vault = new Vault(keyRing);
  const apiKeys = new ApiKeys(keyRing);

  const presets = loadPresets();
  const { requestToken, tryOut } = createTokenRequester({ clock: systemClock, allowedOrigins });

  const attestations = new Attestations(keyRing);
  const definitions = new Definitions(database, attestations, presets);
  const clients = new Clients(database, vault, definitions);
  const loaded = new LoadedClients(database, vault, definitions);
  const services = new Services(database, apiKeys);
  const adminKeys = new AdminKeys(database, apiKeys);
  const access = new Access(database);
  const audit = new Audit(database);
  const events = new Events(database);
  const hours = new RenewalHours(database);
  const readAudit = new ReadAudit(database);
  const proxies = new Proxies(config.trustedProxies);
  const tls = config.tls && new TlsCertificates(config.tls, logger);
  const seldom = new Seldom((fields, words) => logger.warn(fields, words));
  const jwts = new JwtDoor(config.jwtIssuers, createDocumentReader({ allowedOrigins }), seldom);
  const authenticator = new Authenticator({
    ...{ access, apiKeys, seldom, proxies },
    ...(config.certificates && { certificates: new CertificateDoor(config.certificates, proxies, seldom) }),
    ...(config.jwtIssuers.length > 0 && { jwts }),
    refused: (reason) => metrics.refused(reason),
  });
  const onlyClient = new OnlyClient(new GrantedClients(database), definitions);

  const metrics: Metrics = new Metrics({ providers: [...presets.keys()], clients, tokens: () => tokens });
  const conditions = new ConditionRecorder(clients);
  const breakers = new BreakerRecorder(events);
  const recordedHours = new HourRecorder(hours);
  const keys = new KeysSchedule(new MasterKeys(database, attestations), logger);
  const tokens: TokenService = new TokenService({
    store,
    vault,
    requestToken,
    loadClient: async (id) => {
      const client = await loaded.load(id);
      return client?.enabled ? client : undefined;
    },
    loadClients: (ids) => loaded.loadMany(ids),
    active: loaded,
    renews: config.roles.has('renew'),
    lacksKeys: () => keys.state !== 'ok',
    observers: [metrics, conditions, breakers, recordedHours, new RenewalLog(logger)],
  });

  const registration = new Registration({ clients, loaded, definitions, tokens, requestToken, allowedOrigins, logger });
  const connectionTests = new ConnectionTests({ definitions, tokens, tryOut, audit, allowedOrigins });
  const pingDatabase = () => database.$queryRaw`SELECT 1`;
  const { pendingMigrations } = storage;
  const readiness = new Readiness({ store, pingDatabase, pendingMigrations, keys: () => keys.state });
  const renewals = new RenewalSchedule(tokens, config.roles, logger);
  const recorders = [conditions, breakers, recordedHours] as const;
  const records = new RecordSchedule(...recorders, clients, tokens, authenticator, access, logger);
  const proxy = new Proxy({ tokens, metrics, allowedOrigins, settings: config.proxy });
  const reads = config.auditReads ? new ReadRecorder({ reads: readAudit, audit, metrics }) : undefined;
  const readSchedule = reads && new ReadSchedule(reads, logger);
  const retention = new RetentionSchedule(new Retention(database), logger);
  const stream = new EventStream(events, logger);

  const provide = <T extends object>(part: T): { provide: new (...args: never[]) => T; useValue: T } => ({
    provide: part.constructor as new (...args: never[]) => T,
    useValue: part,
  });
  const module: DynamicModule = {
    module: AppModule,
    imports: [ScheduleModule.forRoot()],
    controllers,
    providers: [
      ...[clients, definitions, services, adminKeys, access, authenticator, metrics, tokens, readiness].map(provide),
      ...[registration, connectionTests, new Grants(database), audit, renewals, records, keys].map(provide),
      ...[new AccessSchedule(authenticator, logger), ...(tls ? [tls] : [])].map(provide),
      ...[events, hours, stream, retention, readAudit, ...(readSchedule ? [readSchedule] : [])].map(provide),
      {
        provide: APP_GUARD,
        useFactory: (reflector: Reflector) => new AccessGuard(reflector, authenticator),
        inject: [Reflector],
      },
      { provide: APP_FILTER, useClass: ProblemFilter },
    ],
  };
  const parts = { config, logger, tokens, authenticator, adminKeys, definitions, metrics, readiness, renewals };
  const flush = async () => void (await Promise.all([records.flush(), readSchedule?.flush()]));
  return { ...parts, proxies, ...(tls && { tls }), proxy, onlyClient, ...(reads && { reads }), keys, flush, module };
}

@Module({})
class AppModule {}
