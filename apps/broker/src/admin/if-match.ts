import { Problem } from '../problem';

/**
 * @param present the version that there is now, for `*`
 * @param path where GET returns the ETag
 * @returns the version that the caller wants to change, -1 where the ETag can be none
 */
export function versionIn(ifMatch: string | undefined, present: number, path: string): number {
  if (ifMatch === undefined) {
    throw new Problem('precondition_required', `GET ${path} returns the ETag to send as If-Match.`);
  }
  if (ifMatch.trim() === '*') return present;
  const given = /^"v(\d{1,9})"$/.exec(ifMatch.trim())?.[1];
  return given === undefined ? -1 : Number(given);
}
