export { FakeBroker, type FakeRequest } from './testing/fake-broker';
export type { FakeClient, FakeClientOptions, FakeFailure } from './testing/fake-client';
export type { FakeClock } from './testing/fake-clock';
