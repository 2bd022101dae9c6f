export { type Clock, systemClock } from './clock';
export type { ConnectionTest, TestedStep } from './connection-test';
export type { ProviderDefinition } from './definition';
/** @public Callers tell failures apart by class or by `code`. */
export { CredentialsRefused, ProviderMisconfigured, ProviderUnavailable, Throttled } from './errors';
export { type Failure, ProviderError, type ProviderErrorCode } from './errors';
export { checkInputs, type Fault } from './inputs';
export type { IssuedToken } from './issued-token';
export { InvalidDefinition, readDefinition } from './parse-definition';
export { loadPresets, type Preset } from './presets';
export { tokenHosts } from './token-hosts';
export { createTokenRequester, type TokenRequester } from './token-requester';
