import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import type { Role } from '#registry';
import { Problem } from '../problem';
import { allowedRoles, isPublic } from './allow';
import { Authenticator, credentialsOf } from './authenticator';

/** Denies every request, unless its route says who may call it and this caller is one of them. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const where = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean>(isPublic, where)) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const caller = await this.authenticator.identify(credentialsOf(request.raw));
    if (!caller) throw unauthenticated();
    const roles = this.reflector.getAllAndOverride<Role[] | undefined>(allowedRoles, where) ?? [];
    const { principal } = caller;
    if (principal.kind !== 'admin')
      throw new Problem('forbidden', 'This is a route for admins; a service key opens only the token routes.');
    if (!roles.includes(principal.role)) {
      throw new Problem('forbidden', `The role "${principal.role}" may not do that; it takes ${roles.join(' or ')}.`);
    }
    request.principal = principal;
    return true;
  }
}

export function unauthenticated(): Problem {
  return new Problem('unauthenticated', 'The key is missing, unknown, expired or revoked.', {
    headers: { 'www-authenticate': 'Bearer realm="token-broker"' },
  });
}
