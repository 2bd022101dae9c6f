import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/harness/free-port';
import { type Program, startCommand } from '../program';
import { installed, NotInstalled } from './installed';

const packages = 'nginx-light libnginx-mod-http-lua lua-nginx-redis';

/** nginx that looks the key up in Redis, over connections that it keeps, and answers with headers given and the value. */
export async function startNginxLua(
  redisUrl: string,
  { key, headers }: { key: string; headers: Record<string, string> },
  core: string | undefined,
): Promise<Program> {
  const program = installed('nginx', packages);
  const modules = ['ndk_http_module.so', 'ngx_http_lua_module.so'].map((name) => join(modulesFolder(program), name));
  const library = '/usr/share/lua/5.1/nginx/redis.lua';
  if (![...modules, library].every(existsSync))
    throw new NotInstalled(`nginx lacks Lua or redis: apt-get install ${packages}`);
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-nginx-'));
  const port = await freePort();
  const { hostname, port: redisPort } = new URL(redisUrl);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const config = `
${modules.map((file) => `load_module ${file};`).join('\n')}
daemon off;
master_process off; # one process, whose time is what is measured
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_timeout 72s;
  keepalive_requests 1000000000;
  tcp_nodelay on;
${temporary.map((name) => `  ${name}_temp_path ${folder}/${name};`).join('\n')}
  lua_package_path "/usr/share/lua/5.1/?.lua;;";
  server {
    listen 127.0.0.1:${port};
    location / {
      content_by_lua_block {
        local redis = require("nginx.redis"):new()
        local ok, err = redis:connect("${hostname}", ${redisPort})
        if not ok then ngx.log(ngx.ERR, err) return ngx.exit(502) end
        local value = redis:get("${key}")
        redis:set_keepalive(60000, 64)
${Object.entries(headers)
  .map(([name, value]) => `        ngx.header[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join('\n')}
        ngx.print(value)
      }
    }
  }
}`;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, config);
  return startCommand([program, '-e', 'stderr', '-p', folder, '-c', file], { port, folder, core });
}

/** As it was built; nginx tells that on stderr. */
function modulesFolder(program: string): string {
  const told = execFileSync('/bin/sh', ['-c', '"$1" -V 2>&1', 'version', program], { encoding: 'utf8' });
  return /--modules-path=(\S+)/.exec(told)?.[1] ?? '/usr/lib/nginx/modules';
}
