export { type Clock, systemClock } from './clock';
export type { Condition, InputSpec, ProviderDefinition } from './definition';
export {
  CredentialsRefused,
  type Failure,
  ProviderError,
  type ProviderErrorCode,
  ProviderMisconfigured,
  ProviderUnavailable,
  Throttled,
} from './errors';
export { checkInputs, type CheckedInputs, type Fault } from './inputs';
export type { IssuedToken } from './issued-token';
export { InvalidDefinition, parseDefinition } from './parse-definition';
export { loadPresets } from './presets';
export { tokenHosts } from './token-hosts';
export { isTokenInvalid } from './token-invalid';
export { createTokenRequester, type Deadlines, type TokenRequester } from './token-requester';
