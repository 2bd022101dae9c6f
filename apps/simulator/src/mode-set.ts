/** The modes switched on at one place: for all clients, or for one. */
interface Entry {
  setting: Record<string, unknown>;
  off: boolean;
  /** Calls it still lets pass before it starts. */
  wait: number;
  /** Calls it still applies to. */
  left: number;
  uses: number;
}

/** What a call gets when it meets a mode: the settings, and which use of the mode this is, from 1. */
export type Played<Setting> = Setting & { use: number };

export class ModeSet<Modes extends object> {
  private readonly entries = new Map<PropertyKey, Entry>();

  /** Takes modes in full form, already validated, in place of whatever was set. */
  replace(modes: Record<string, Record<string, unknown>>): void {
    this.entries.clear();
    for (const [name, { times, after_calls, off, ...setting }] of Object.entries(modes)) {
      this.entries.set(name, {
        setting,
        off: off === true,
        wait: Number(after_calls ?? 0),
        left: Number(times ?? Infinity),
        uses: 0,
      });
    }
  }

  clear(): void {
    this.entries.clear();
  }

  /** What is on now, in the form that `replace` takes; `times` and `after_calls` are what remains of them. */
  show(): Record<string, unknown> {
    const shown = [...this.entries].map(([name, entry]) => [
      name,
      {
        ...entry.setting,
        ...(entry.off && { off: true }),
        ...(entry.wait > 0 && { after_calls: entry.wait }),
        ...(entry.left !== Infinity && { times: entry.left }),
      },
    ]);
    return Object.fromEntries(shown);
  }

  has(name: keyof Modes): boolean {
    return this.entries.has(name);
  }

  /**
   * The mode's settings if it is on for this call, which uses it up by one. Ask only when about to act on it: that is
   * what makes `{"outage": {"times": 2}, "throttle": {"times": 1}}` a script of two outages and then one throttling.
   */
  take<Name extends keyof Modes>(name: Name): Played<Modes[Name]> | undefined {
    const entry = this.entries.get(name);
    if (entry === undefined || entry.off) return undefined;
    if (entry.wait > 0) {
      entry.wait -= 1;
      return undefined;
    }
    entry.uses += 1;
    entry.left -= 1;
    if (entry.left <= 0) this.entries.delete(name);
    return { ...(entry.setting as Modes[Name]), use: entry.uses };
  }
}

/** Anything that modes can be taken from. */
export interface ActiveModes<Modes extends object> {
  take<Name extends keyof Modes>(name: Name): Played<Modes[Name]> | undefined;
}

/** One client's modes over the global ones: where both name a mode, the client's counts. */
export function layered<Modes extends object>(
  ofClient: ModeSet<Modes> | undefined,
  global: ModeSet<Modes>,
): ActiveModes<Modes> {
  return { take: (name) => (ofClient?.has(name) ? ofClient : global).take(name) };
}
