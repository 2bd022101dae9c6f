import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { type By, Grants } from '#registry';
import { Actor, Allow } from '../auth/allow';
import { Authenticator } from '../auth/authenticator';
import { CreateGrantDto, granted, GrantPageView, GrantView, grantView, ListGrantsQuery } from './grant.dto';
import { IdPipe, isId } from './name';
import { pageRequest, pageView } from './page.dto';

@ApiTags('grants')
@ApiBearerAuth()
@Controller('v1/grants')
export class GrantsController {
  constructor(
    private readonly grants: Grants,
    private readonly authenticator: Authenticator,
  ) {}

  /** Lets a service fetch one client's token, or those of every client carrying a label. */
  @Post()
  @Allow('admin')
  @ApiCreatedResponse({ type: GrantView })
  async create(@Body() body: CreateGrantDto, @Actor() by: By): Promise<GrantView> {
    const grant = await this.grants.create(body.service, granted(body), by);
    this.authenticator.doubt();
    return grantView(grant);
  }

  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: GrantPageView })
  async list(@Query() { service, client, ...page }: ListGrantsQuery): Promise<GrantPageView> {
    const filter = { ...(service !== undefined && { service }), ...(client !== undefined && { client }) };
    return pageView(await this.grants.list({ ...pageRequest(page, isId), ...filter }), grantView);
  }

  /** The service cannot fetch any more: here at once, on other replicas within a second. */
  @Delete(':id')
  @HttpCode(204)
  @Allow('admin')
  @ApiNoContentResponse()
  async delete(@Param('id', IdPipe) id: string, @Actor() by: By): Promise<void> {
    await this.grants.delete(id, by);
    this.authenticator.doubt();
  }
}
