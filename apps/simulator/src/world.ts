import { Clients } from './clients';
import { Ledger } from './ledger';
import type { ResourceModes, TokenModes } from './mode-catalogue';
import { ModeSet } from './mode-set';

/** Everything one simulator knows; nothing of it outlives the process. */
export class World {
  readonly clients = new Clients();
  readonly ledger = new Ledger();
  /** For every client, known or not. */
  readonly modes = new ModeSet<TokenModes>();
  readonly resourceModes = new ModeSet<ResourceModes>();
  /** Set over the control API, so that a test in another process can let a token's life pass at once. */
  clockOffsetMs = 0;

  constructor(private readonly clock: () => number) {}

  /** ms since 1970; an arrow so that it can be handed on. */
  readonly now = (): number => this.clock() + this.clockOffsetMs;
}
