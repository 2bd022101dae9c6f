import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type By, type ClientRecord, Clients } from '#registry';
import { TokenService } from '#tokens';
import { Actor, Allow } from '../auth/allow';
import { Problem } from '../problem';
import { CreateClientDto, ListClientsQuery, UpdateClientDto, VerifyQuery } from './client.dto';
import { ClientPageView, ClientView, clientView } from './client.view';
import { isName, NamePipe } from './name';
import { pageRequest, pageView } from './page.dto';
import { Registration } from './registration';

@ApiTags('clients')
@ApiBearerAuth()
@Controller('v1/clients')
export class ClientsController {
  constructor(
    private readonly clients: Clients,
    private readonly registration: Registration,
    private readonly tokens: TokenService,
  ) {}

  /** Registers a client, once a token could be got with its inputs. */
  @Post()
  @Allow('admin')
  @ApiCreatedResponse({ type: ClientView })
  async create(
    @Body() body: CreateClientDto,
    @Query() { verify }: VerifyQuery,
    @Actor() by: By,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ClientView> {
    const client = await this.registration.register(body, verify === 'true', by);
    void reply.header('location', `/v1/clients/${client.name}`);
    return this.#view(client, reply);
  }

  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: ClientPageView })
  async list(@Query() { status, provider, label, q, ...page }: ListClientsQuery): Promise<ClientPageView> {
    const filter = {
      ...(status !== undefined && { condition: status }),
      ...(provider !== undefined && { provider }),
      ...(label !== undefined && { label }),
      ...(q !== undefined && { q }),
    };
    const found = await this.clients.list({ ...pageRequest(page, isName), ...filter });
    const states = await this.tokens.states(found.items.map(({ id }) => id)).catch(() => []);
    const stateOf = new Map(found.items.map(({ id }, index) => [id, states[index]]));
    return pageView(found, (client) => clientView(client, stateOf.get(client.id)));
  }

  @Get(':name')
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: ClientView })
  async get(
    @Param('name', NamePipe) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ClientView> {
    return this.#view(await this.clients.get(name), reply);
  }

  /** Changes inputs or labels. New inputs are tried at the provider first. */
  @Patch(':name')
  @Allow('admin')
  @ApiHeader({ name: 'If-Match', required: true, description: 'The ETag that GET returned.' })
  @ApiOkResponse({ type: ClientView })
  async update(
    @Param('name', NamePipe) name: string,
    @Body() body: UpdateClientDto,
    @Query() { verify }: VerifyQuery,
    @Headers('if-match') ifMatch: string | undefined,
    @Actor() by: By,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ClientView> {
    const before = await this.clients.get(name);
    return this.#view(
      await this.registration.change(before, versionIn(ifMatch, before), body, verify === 'true', by),
      reply,
    );
  }

  /** Stops renewing and serving, and forgets the token; the secret stays. */
  @Post(':name/disable')
  @HttpCode(200)
  @Allow('admin', 'operator')
  @ApiOkResponse({ type: ClientView })
  async disable(
    @Param('name', NamePipe) name: string,
    @Actor() by: By,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ClientView> {
    return this.#view(await this.registration.setEnabled(name, false, by), reply);
  }

  @Post(':name/enable')
  @HttpCode(200)
  @Allow('admin', 'operator')
  @ApiOkResponse({ type: ClientView })
  async enable(
    @Param('name', NamePipe) name: string,
    @Actor() by: By,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ClientView> {
    return this.#view(await this.registration.setEnabled(name, true, by), reply);
  }

  /** Deletes the client, its secret, its token and its grants. */
  @Delete(':name')
  @HttpCode(204)
  @Allow('admin')
  @ApiNoContentResponse()
  async delete(@Param('name', NamePipe) name: string, @Actor() by: By): Promise<void> {
    await this.registration.delete(name, by);
  }

  async #view(client: ClientRecord, reply: FastifyReply): Promise<ClientView> {
    void reply.header('etag', `"v${client.version}"`);
    const [state] = await this.tokens.states([client.id]).catch(() => []);
    return clientView(client, state);
  }
}

/** @returns the version that the caller wants to change */
function versionIn(ifMatch: string | undefined, { name, version }: ClientRecord): number {
  if (ifMatch === undefined) {
    throw new Problem('precondition_required', `GET /v1/clients/${name} returns the ETag to send as If-Match.`);
  }
  if (ifMatch.trim() === '*') return version;
  const given = /^"v(\d{1,9})"$/.exec(ifMatch.trim())?.[1];
  return given === undefined ? -1 : Number(given);
}
