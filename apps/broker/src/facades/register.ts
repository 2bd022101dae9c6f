import type { FastifyInstance } from 'fastify';
import { registerCapillaryRoute } from './capillary.route';
import type { FacadeParts } from './service-caller';
import { registerMetadataRoute } from './metadata.route';
import { registerOAuthRoute } from './oauth.route';

/** The parts for programs that know another one: an OAuth 2.0 token endpoint with its metadata, and Capillary's. */
export function registerFacades(fastify: FastifyInstance, parts: FacadeParts): void {
  registerOAuthRoute(fastify, parts);
  registerMetadataRoute(fastify, parts.publicUrl);
  registerCapillaryRoute(fastify, parts);
}
