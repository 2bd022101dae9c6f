export { type Clock, systemClock } from './clock';
/** @public Callers tell failures apart by class or by `code`. */
export { CredentialsRefused, ProviderMisconfigured, ProviderUnavailable, Throttled } from './failures/errors';
export { type Failure, ProviderError, type ProviderErrorCode } from './failures/errors';
export type { ProviderDefinition } from './language/definition';
export type { Fault } from './language/fault';
export { loadPresets, type Preset } from './language/presets';
export { InvalidDefinition, readDefinition } from './language/read-definition';
export { createDocumentReader, type ReadDocument } from './network/documents';
export { AddressRefused } from './network/connector';
export { createApiAgent } from './network/api-agent';
export { type Api, apiOf, isDeadBy, isDeadWith } from './request/api';
export type { ConnectionTest, TestedStep } from './request/connection-test';
export { metadataUrls } from './request/discovery';
export { checkInputs } from './request/inputs';
export type { IssuedToken } from './request/issued-token';
export { tokenHosts } from './request/token-hosts';
export { createTokenRequester, type TokenRequester } from './request/token-requester';
