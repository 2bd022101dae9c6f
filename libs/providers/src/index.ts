export { type Clock, systemClock } from './clock';
export {
  CredentialsRefused,
  type Failure,
  ProviderError,
  type ProviderErrorCode,
  ProviderMisconfigured,
  ProviderUnavailable,
  Throttled,
} from './errors';
export type { IssuedToken } from './issued-token';
