export { TokenBroker, type FetchForOptions, type TokenBrokerOptions } from './broker';
export type { Clock } from './clock';
export type { Environment } from './environment';
export {
  BrokerError,
  BrokerUnreachable,
  ClientDisabled,
  Forbidden,
  Misconfigured,
  NotFound,
  OriginNotAllowed,
  RequestRefused,
  TokenBrokerError,
  TokenUnavailable,
  TryAgainLater,
  Unauthenticated,
  VersionMismatch,
  type BrokerProblem,
  type SdkCode,
} from './errors';
export type { Fetch } from './http/transport';
export type { Token } from './token';
export type { Wanted } from './tokens';
export { errorCodes, type ErrorCode, type FieldFault, type RejectionView, type ServedToken } from './wire';
export type { Admin } from './admin/admin';
export type { ClientFilter } from './admin/clients';
export type { IssuedKey } from './admin/issued-key';
export type { EventFilter, ReadsFilter, RenewalHoursFilter } from './admin/operations';
export type { Page, Pages } from './admin/pages';
export type {
  AdminKeyView,
  AttemptView,
  AuditView,
  ClientChanges,
  ClientView,
  Condition,
  ConnectionTestBody,
  ConnectionTestView,
  DefinitionBody,
  DefinitionView,
  EventView,
  FailureView,
  GrantView,
  KeyView,
  LastFailureView,
  NewClient,
  ProviderView,
  ReadsView,
  RenewalHourView,
  RequestedRenewalView,
  Role,
  ServiceView,
  SummaryView,
  ValidationView,
  VersionView,
} from './admin/wire';
