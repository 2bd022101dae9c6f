import { plainToInstance, Transform } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
  validateSync,
} from 'class-validator';
import { InvalidRedisUrl, parseRedisUrl } from '#tokens';
import { type KeyRing, Secret } from '#vault';
import { withFiles } from './config/files';
import { type JwtIssuer, readJwtIssuers } from './config/jwt-issuers';
import { readKeyRing } from './config/key-ring';
import { readProxies } from './config/proxies';
import { type CertificateSettings, readCertificates, readTls, tlsFiles, type TlsSettings } from './config/tls';

export type RoleName = 'serve' | 'renew';

/** The settings, checked. `keyRing` is absent only where the embedded mode has still to make its first key. */
export interface Config {
  readonly port: number;
  readonly host: string;
  /** Where the broker is for others: scheme, host, perhaps a path; no slash at the end. */
  readonly publicUrl?: string;
  /** Absent: the embedded database under `dataDir`. */
  readonly databaseUrl?: string;
  /** One Redis, Sentinels or a cluster. Absent: tokens live in this process alone. */
  readonly redisUrl?: string;
  readonly keyRing?: KeyRing;
  readonly bootstrapAdminKey?: Secret;
  readonly dataDir: string;
  readonly roles: ReadonlySet<RoleName>;
  /** Origins that the operator allows although they are private or plain http. */
  readonly allowedOrigins: readonly string[];
  /** Whose JWTs services may show in place of a key. */
  readonly jwtIssuers: readonly JwtIssuer[];
  /** Networks of proxies that say whom they speak for. */
  readonly trustedProxies: readonly string[];
  /** Of calls through the proxy. */
  readonly proxy: { maxBodyBytes: number; timeoutMs: number; maxRequests: number };
  /** Absent: no listener with TLS. */
  readonly tls?: TlsSettings;
  /** Absent: client certificates say nothing. */
  readonly certificates?: CertificateSettings;
  readonly logLevel: string;
  /** Whether every read of a token is written down. */
  readonly auditReads: boolean;
}

/** The environment cannot be used; every fault is listed. */
export class InvalidConfig extends Error {
  constructor(readonly faults: string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'InvalidConfig';
  }
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
/** Each can also be given as `NAME_FILE`, a file holding the value. */
const files = ['DATABASE_URL', 'REDIS_URL', 'MASTER_KEYS', 'BOOTSTRAP_ADMIN_KEY', 'JWT_ISSUERS', ...tlsFiles];

const integer = Transform(({ value }) => (/^\d+$/.test(String(value)) ? Number(value) : value));
const list = Transform(({ value }) =>
  typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value,
);

class Environment {
  @integer
  @IsInt({ message: 'PORT must be a whole number' })
  @Min(0, { message: 'PORT must be 0 (any free port) to 65535' })
  @Max(65_535, { message: 'PORT must be 0 (any free port) to 65535' })
  PORT = 8080;

  @IsOptional()
  @IsNotEmpty({ message: 'HOST must be an address to listen on, such as 127.0.0.1 or 0.0.0.0' })
  HOST: string | undefined = undefined;

  @IsOptional()
  @Matches(/^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?(\/[\w.~/-]*)?$/i, {
    message: 'PUBLIC_URL must be an address such as https://tokens.example.com',
  })
  PUBLIC_URL: string | undefined = undefined;

  @IsOptional()
  @Matches(/^postgres(ql)?:\/\/\S+$/, { message: 'DATABASE_URL must be a postgresql:// URL' })
  DATABASE_URL: string | undefined = undefined;

  @IsOptional()
  @IsString()
  REDIS_URL: string | undefined = undefined;

  @IsOptional()
  @IsString()
  MASTER_KEYS: string | undefined = undefined;

  @IsOptional()
  @IsNotEmpty({ message: 'MASTER_KEYS_COMMAND must be a command that prints MASTER_KEYS' })
  MASTER_KEYS_COMMAND: string | undefined = undefined;

  @IsOptional()
  @MinLength(32, { message: 'BOOTSTRAP_ADMIN_KEY must have 32 characters or more' })
  @Matches(/^[\x21-\x7e]*$/, {
    message: 'BOOTSTRAP_ADMIN_KEY must consist of visible ASCII characters, without spaces',
  })
  BOOTSTRAP_ADMIN_KEY: string | undefined = undefined;

  @IsNotEmpty({ message: 'DATA_DIR must be a folder' })
  DATA_DIR = './data';

  @list
  @IsIn(['serve', 'renew'], { each: true, message: 'ROLES must be serve, renew or serve,renew' })
  ROLES: RoleName[] = ['serve', 'renew'];

  @list
  @Matches(/^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/i, {
    each: true,
    message: 'ALLOWED_PROVIDER_HOSTS must be origins such as http://127.0.0.1:9000, separated by commas',
  })
  ALLOWED_PROVIDER_HOSTS: string[] = [];

  @IsOptional()
  @integer
  @IsInt({ message: 'TLS_PORT must be a whole number' })
  @Min(0, { message: 'TLS_PORT must be 0 (any free port) to 65535' })
  @Max(65_535, { message: 'TLS_PORT must be 0 (any free port) to 65535' })
  TLS_PORT: number | undefined = undefined;

  @IsOptional()
  @IsString()
  TLS_CERT: string | undefined = undefined;

  @IsOptional()
  @IsString()
  TLS_KEY: string | undefined = undefined;

  @IsOptional()
  @IsString()
  TLS_CLIENT_CA: string | undefined = undefined;

  @IsOptional()
  @IsString()
  CLIENT_CERTIFICATE_SERVICE: string | undefined = undefined;

  @IsOptional()
  @IsString()
  CLIENT_CERTIFICATE_HEADER: string | undefined = undefined;

  @list
  TRUSTED_PROXIES: string[] = [];

  @IsOptional()
  @IsString()
  JWT_ISSUERS: string | undefined = undefined;

  @integer
  @IsInt({ message: 'PROXY_MAX_BODY_BYTES must be a whole number of bytes' })
  @Min(0, { message: 'PROXY_MAX_BODY_BYTES must be a whole number of bytes' })
  PROXY_MAX_BODY_BYTES = 25 * 1024 * 1024;

  @integer
  @IsInt({ message: 'PROXY_TIMEOUT_SECONDS must be 1 to 86400' })
  @Min(1, { message: 'PROXY_TIMEOUT_SECONDS must be 1 to 86400' })
  @Max(86_400, { message: 'PROXY_TIMEOUT_SECONDS must be 1 to 86400' })
  PROXY_TIMEOUT_SECONDS = 300;

  @integer
  @IsInt({ message: 'PROXY_MAX_REQUESTS must be 1 to 10000' })
  @Min(1, { message: 'PROXY_MAX_REQUESTS must be 1 to 10000' })
  @Max(10_000, { message: 'PROXY_MAX_REQUESTS must be 1 to 10000' })
  PROXY_MAX_REQUESTS = 256;

  @IsIn(logLevels, { message: `LOG_LEVEL must be one of ${logLevels.join(', ')}` })
  LOG_LEVEL = 'info';

  @IsIn(['true', 'false'], { message: 'AUDIT_READS must be true or false' })
  AUDIT_READS = 'false';
}

/** Every variable that is read, besides `NAME_FILE` for some. */
const variables = Object.keys(new Environment());

/**
 * Reads the environment, once; nothing else reads it.
 * @throws InvalidConfig with every fault
 */
export function readConfig(source: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const given = withFiles(source, files, faults);
  // An empty variable is what `VAR=` in a compose file means: not set.
  const values = Object.fromEntries(variables.flatMap((name) => (given[name] ? [[name, given[name]]] : [])));
  const env = plainToInstance(Environment, values, { exposeDefaultValues: true });
  for (const { constraints } of validateSync(env)) faults.push(...Object.values(constraints ?? {}));
  if (env.DATABASE_URL !== undefined && !isUrl(env.DATABASE_URL))
    faults.push(
      'DATABASE_URL cannot be read as a URL: write # / ? @ : and % in a password as %23 %2F %3F %40 %3A and %25',
    );
  if (env.PUBLIC_URL !== undefined && !isUrl(env.PUBLIC_URL)) faults.push('PUBLIC_URL cannot be read as a URL');
  if (env.REDIS_URL !== undefined) faults.push(...faultsOfRedisUrl(env.REDIS_URL));
  const keyRing = readKeyRing(env, faults);
  const allowedOrigins = env.ALLOWED_PROVIDER_HOSTS.flatMap((origin) =>
    URL.canParse(origin) ? [new URL(origin).origin] : [],
  );
  const trustedProxies = readProxies(env.TRUSTED_PROXIES, faults);
  const tls = readTls(env, source, faults);
  const certificates = readCertificates(env, faults);
  const jwtIssuers = env.JWT_ISSUERS === undefined ? [] : readJwtIssuers(env.JWT_ISSUERS, allowedOrigins, faults);
  if (faults.length > 0) throw new InvalidConfig([...new Set(faults)]);
  return Object.freeze({
    port: env.PORT,
    host: env.HOST ?? (env.DATABASE_URL ? '0.0.0.0' : '127.0.0.1'),
    ...(env.PUBLIC_URL && { publicUrl: new URL(env.PUBLIC_URL).href.replace(/\/+$/, '') }),
    ...(env.DATABASE_URL && { databaseUrl: env.DATABASE_URL }),
    ...(env.REDIS_URL && { redisUrl: env.REDIS_URL }),
    ...(keyRing && { keyRing }),
    ...(env.BOOTSTRAP_ADMIN_KEY && { bootstrapAdminKey: new Secret(env.BOOTSTRAP_ADMIN_KEY) }),
    dataDir: env.DATA_DIR,
    roles: new Set(env.ROLES),
    allowedOrigins,
    jwtIssuers,
    trustedProxies,
    ...(tls && { tls }),
    ...(certificates && { certificates }),
    proxy: {
      maxBodyBytes: env.PROXY_MAX_BODY_BYTES,
      timeoutMs: env.PROXY_TIMEOUT_SECONDS * 1_000,
      maxRequests: env.PROXY_MAX_REQUESTS,
    },
    logLevel: env.LOG_LEVEL,
    auditReads: env.AUDIT_READS === 'true',
  });
}

function faultsOfRedisUrl(url: string): string[] {
  try {
    parseRedisUrl(url);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidRedisUrl)) throw error;
    return [`REDIS_URL ${error.message}`];
  }
}

function isUrl(text: string): boolean {
  try {
    const { username, password } = new URL(text);
    return typeof decodeURIComponent(username + password) === 'string';
  } catch {
    return false;
  }
}
