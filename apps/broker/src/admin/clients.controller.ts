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
import { type By, type ClientRecord, Clients, Definitions } from '#registry';
import { TokenService } from '#tokens';
import { Actor, Allow } from '../auth/allow';
import { CreateClientDto, ListClientsQuery, UpdateClientDto, VerifyQuery } from './client.dto';
import { ClientPageView, ClientView, clientView } from './client.view';
import { versionIn } from './if-match';
import { isName, NamePipe } from './name';
import { pageRequest, pageView } from './page.dto';
import { Registration } from './registration';

@ApiTags('clients')
@ApiBearerAuth()
@Controller('v1/clients')
export class ClientsController {
  constructor(
    private readonly clients: Clients,
    private readonly definitions: Definitions,
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
    const [states, newest] = await Promise.all([
      this.tokens.states(found.items.map(({ id }) => id)).catch(() => []),
      this.definitions.currentVersions(found.items.map((client) => client.provider)),
    ]);
    const stateOf = new Map(found.items.map(({ id }, index) => [id, states[index]]));
    return pageView(found, (client) => clientView(client, stateOf.get(client.id), newest.get(client.provider)));
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

  /**
   * Changes inputs or labels, or moves the client to another version of its provider's definition. New inputs, and a new
   * version, are tried at the provider first.
   */
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
    const expected = versionIn(ifMatch, before.version, `/v1/clients/${name}`);
    return this.#view(await this.registration.change(before, expected, body, verify === 'true', by), reply);
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
    const [[state], newest] = await Promise.all([
      this.tokens.states([client.id]).catch(() => []),
      this.definitions.currentVersions([client.provider]),
    ]);
    return clientView(client, state, newest.get(client.provider));
  }
}
