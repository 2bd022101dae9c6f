export { type Condition, conditionOf, conditions } from './condition';
export { TokenUnavailable } from './errors';
export type { TokenEvent, TokenEvents } from './events';
export { MemoryTokenStore } from './memory-token-store';
export { RedisTokenStore } from './redis-token-store';
export type { RenewableClient } from './renewable-client';
export type { ServableToken } from './token-cache';
export { TokenService } from './token-service';
export type { Attempt, ClientState, LastFailure, TokenStore } from './token-store';
