import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import type { FastifyReply } from 'fastify';
import { InvalidDefinition, readDefinition } from '#providers';
import { type By, Definitions, type DefinitionVersion } from '#registry';
import { Actor, Allow } from '../auth/allow';
import { versionIn } from './if-match';
import { isName, NamePipe } from './name';
import { PageQuery, pageRequest, pageView } from './page.dto';
import { HasDefinition, sourceOf } from './provider.body';
import {
  DefinitionView,
  definitionView,
  ProviderPageView,
  providerView,
  ValidationView,
  VersionPageView,
  versionView,
} from './provider.view';
import { IsVersion } from './version';

class VersionQuery {
  @IsVersion('Absent: the one that a new client gets.')
  @Transform(({ value }) => (/^\d{1,10}$/.test(String(value)) ? Number(value) : value))
  version?: number;
}

@ApiTags('providers')
@ApiBearerAuth()
@Controller('v1/providers')
export class ProvidersController {
  constructor(private readonly definitions: Definitions) {}

  /** The providers that a client can be registered with: presets and own definitions. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: ProviderPageView })
  async list(@Query() page: PageQuery): Promise<ProviderPageView> {
    return pageView(await this.definitions.list(pageRequest(page, isName)), providerView);
  }

  /** Adds a provider of one's own. */
  @Post()
  @Allow('admin')
  @HasDefinition()
  @ApiCreatedResponse({ type: DefinitionView })
  async create(
    @Body() body: unknown,
    @Actor() by: By,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DefinitionView> {
    const created = await this.definitions.create(sourceOf(body), by);
    void reply.header('location', `/v1/providers/${created.provider}`);
    return view(created, reply);
  }

  /** Reads a definition and says what is wrong with it. Stores nothing. */
  @Post('validations')
  @HttpCode(200)
  @Allow('admin')
  @HasDefinition()
  @ApiOkResponse({ type: ValidationView })
  validate(@Body() body: unknown): ValidationView {
    try {
      const { warnings } = readDefinition(sourceOf(body));
      return { ok: true, faults: [], warnings: [...warnings] };
    } catch (error) {
      if (!(error instanceof InvalidDefinition)) throw error;
      return { ok: false, faults: [...error.faults], warnings: [] };
    }
  }

  @Get(':id')
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: DefinitionView })
  async get(
    @Param('id', NamePipe) id: string,
    @Query() { version }: VersionQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DefinitionView> {
    return view(await this.definitions.get(id, version), reply);
  }

  /** Every version there has been, the newest first. */
  @Get(':id/versions')
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: VersionPageView })
  async versions(@Param('id', NamePipe) id: string, @Query() page: PageQuery): Promise<VersionPageView> {
    const request = pageRequest(page, (after) => /^\d{1,9}$/.test(after));
    return pageView(await this.definitions.versions(id, request), versionView);
  }

  /** Makes a new version. Clients stay with the version that they have until they are moved. */
  @Put(':id')
  @Allow('admin')
  @HasDefinition()
  @ApiHeader({ name: 'If-Match', required: true, description: 'The ETag that GET returned.' })
  @ApiOkResponse({ type: DefinitionView })
  async change(
    @Param('id', NamePipe) id: string,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Actor() by: By,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DefinitionView> {
    const source = sourceOf(body);
    const present = (await this.definitions.currentVersions([id])).get(id) ?? 0;
    const expected = versionIn(ifMatch, present, `/v1/providers/${id}`);
    return view(await this.definitions.change(id, source, expected, by), reply);
  }

  /** Deletes a provider of one's own, once no client uses it. */
  @Delete(':id')
  @HttpCode(204)
  @Allow('admin')
  @ApiNoContentResponse()
  async delete(@Param('id', NamePipe) id: string, @Actor() by: By): Promise<void> {
    await this.definitions.delete(id, by);
  }
}

function view(found: DefinitionVersion, reply: FastifyReply): DefinitionView {
  void reply.header('etag', `"v${found.version}"`);
  return definitionView(found);
}
