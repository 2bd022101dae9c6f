import type { FastifyInstance } from 'fastify';
import { registerCapillaryRoute } from './capillary.route';
import type { Doors } from './doors';
import { registerMetadataRoute } from './metadata.route';
import { registerOAuthRoute } from './oauth.route';

/** The doors for programs that know another one: an OAuth 2.0 token endpoint with its metadata, and Capillary's. */
export function registerFacades(fastify: FastifyInstance, doors: Doors): void {
  registerOAuthRoute(fastify, doors);
  registerMetadataRoute(fastify, doors.publicUrl);
  registerCapillaryRoute(fastify, doors);
}
