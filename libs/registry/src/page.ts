export interface PageRequest {
  /** At most so many; 1 or more. */
  limit: number;
  /** What `next` of the page before said. */
  after?: string;
}

export interface Page<T> {
  items: T[];
  /** Where the next page begins; absent on the last. */
  next?: string;
}

/** @param rows one more than the limit where there is a next page */
export function pageOf<T>(rows: T[], limit: number, key: (row: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  return rows.length > limit ? { items, next: key(items[items.length - 1]!) } : { items };
}
