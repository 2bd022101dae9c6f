import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** What anybody can make who has read how keys are built: a right checksum, and a secret of chance. */
export function forgedKey(prefix = `tbk_${chance(8)}`): string {
  const body = prefix + chance(27);
  let [rest, checksum] = [crc32(body), ''];
  for (let i = 0; i < 6; i++) {
    checksum = alphabet[rest % 62] + checksum;
    rest = Math.floor(rest / 62);
  }
  return body + checksum;
}

function chance(chars: number): string {
  return Array.from({ length: chars }, () => alphabet[Math.floor(Math.random() * 62)]).join('');
}
