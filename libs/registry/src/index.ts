export {
  Access,
  type AccessAnswers,
  type AccessEpoch,
  type ClientAccess,
  type KeyAccess,
  type Role,
  type ServiceAccess,
} from './access';
export { AdminKeys, bootstrapPrefix } from './admin-keys';
export { Audit, type By } from './audit';
export { type ClientRecord, Clients } from './clients';
export { type Database, migratingAdapter, openDatabase, postgresAdapter } from './database';
export { Definitions, type DefinitionVersion, type ListedProvider, type VersionRecord } from './definitions';
export { openEmbedded } from './embedded-database';
export { AlreadyExists, databaseFault, isDatabaseUnavailable, UnknownProvider, VersionMismatch } from './errors';
export type { DefinitionUnusable, LastAdminKey, NotFound, ProviderInUse, ProviderIsPreset } from './errors';
export { type BreakerChange, type EventRecord, Events } from './events';
export { GrantedClients, type GrantedKind } from './granted-clients';
export { type Granted, type GrantRecord, Grants } from './grants';
export { LoadedClients } from './loaded-clients';
export { MasterKeys, type UnusableMasterKey } from './master-keys';
export type { Page } from './page';
export { type RenewalHour, RenewalHours } from './renewal-hours';
export { Retention, retentionDays } from './retention';
export { type Inputs, sealInputs } from './sealed-inputs';
export { type KeyRecord, Services } from './services';
export { ReadAudit, readsId, type TokenReads } from './read-audit';
