import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { type By, Services } from '#registry';
import { Actor, Allow } from '../auth/allow';
import { Authenticator } from '../auth/authenticator';
import { expiry, IssueKeyDto } from './key.dto';
import { KeyPageView, keyView, NewKeyView } from './key.view';
import { IdPipe, isName, NamePipe } from './name';
import { PageQuery, pageRequest, pageView } from './page.dto';
import { CreateServiceDto, ServicePageView, ServiceView, serviceView } from './service.dto';

@ApiTags('services')
@ApiBearerAuth()
@Controller('v1/services')
export class ServicesController {
  constructor(
    private readonly services: Services,
    private readonly authenticator: Authenticator,
  ) {}

  @Post()
  @Allow('admin')
  @ApiCreatedResponse({ type: ServiceView })
  async create(@Body() { name }: CreateServiceDto, @Actor() by: By): Promise<ServiceView> {
    return serviceView(await this.services.create(name, by));
  }

  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: ServicePageView })
  async list(@Query() page: PageQuery): Promise<ServicePageView> {
    return pageView(await this.services.list(pageRequest(page, isName)), serviceView);
  }

  @Get(':name')
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: ServiceView })
  async get(@Param('name', NamePipe) name: string): Promise<ServiceView> {
    return serviceView(await this.services.get(name));
  }

  /** Deletes the service with its keys and grants. */
  @Delete(':name')
  @HttpCode(204)
  @Allow('admin')
  @ApiNoContentResponse()
  async delete(@Param('name', NamePipe) name: string, @Actor() by: By): Promise<void> {
    await this.services.delete(name, by);
    this.authenticator.doubt();
  }

  /** Makes a key. It is shown in this answer and never again. */
  @Post(':name/keys')
  @Allow('admin')
  @ApiCreatedResponse({ type: NewKeyView })
  async issueKey(
    @Param('name', NamePipe) name: string,
    @Body() body: IssueKeyDto,
    @Actor() by: By,
  ): Promise<NewKeyView> {
    const { key, ...record } = await this.services.issueKey(name, expiry(body), by);
    return { ...keyView(record), key: key.reveal() };
  }

  @Get(':name/keys')
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: KeyPageView })
  async keys(@Param('name', NamePipe) name: string): Promise<KeyPageView> {
    return { items: (await this.services.keys(name)).map(keyView) };
  }

  /** The key opens nothing from now on: here at once, on other replicas within a second. */
  @Delete(':name/keys/:id')
  @HttpCode(204)
  @Allow('admin')
  @ApiNoContentResponse()
  async revokeKey(
    @Param('name', NamePipe) name: string,
    @Param('id', IdPipe) id: string,
    @Actor() by: By,
  ): Promise<void> {
    await this.services.revokeKey(name, id, by);
    this.authenticator.doubt();
  }
}
