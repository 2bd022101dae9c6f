import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { By, Role } from '#registry';
import type { Principal } from './authenticator';

declare module 'fastify' {
  interface FastifyRequest {
    principal?: Principal;
  }
}

export const allowedRoles = 'allowed-roles';
export const isPublic = 'is-public';

/** Admin keys of these roles may call the route. A route that says neither this nor `@Public()` lets nobody in. */
export const Allow = (...roles: Role[]): MethodDecorator & ClassDecorator => SetMetadata(allowedRoles, roles);

/** Anybody may call the route. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(isPublic, true);

/** Who makes the change, for the audit. */
export const Actor = createParamDecorator((_: unknown, context: ExecutionContext): By => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  return { actor: `admin:${request.principal!.name}`, requestId: request.id };
});
