import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiProperty,
  ApiTags,
} from '@nestjs/swagger';
import { AdminKeys, type By, type Role } from '#registry';
import { Actor, Allow } from '../auth/allow';
import { Authenticator } from '../auth/authenticator';
import { expiry, IssueAdminKeyDto, roles } from './key.dto';
import { KeyView, keyView } from './key.view';
import { IdPipe } from './name';

class AdminKeyView extends KeyView {
  @ApiProperty()
  name: string;

  @ApiProperty({ enum: roles })
  role: Role;
}

class NewAdminKeyView extends AdminKeyView {
  @ApiProperty({ description: 'The key, this once. Only a digest of it is stored.' })
  key: string;
}

class AdminKeyPageView {
  @ApiProperty({ type: [AdminKeyView] })
  items: AdminKeyView[];
}

@ApiTags('admin keys')
@ApiBearerAuth()
@Controller('v1/admin-keys')
export class AdminKeysController {
  constructor(
    private readonly adminKeys: AdminKeys,
    private readonly authenticator: Authenticator,
  ) {}

  /** Makes a key for an admin, an operator or a viewer. It is shown in this answer and never again. */
  @Post()
  @Allow('admin')
  @ApiCreatedResponse({ type: NewAdminKeyView })
  async issue(@Body() body: IssueAdminKeyDto, @Actor() by: By): Promise<NewAdminKeyView> {
    const { key, name, role, ...record } = await this.adminKeys.issue(body.name, body.role, expiry(body), by);
    return { ...keyView(record), name, role, key: key.reveal() };
  }

  @Get()
  @Allow('admin')
  @ApiOkResponse({ type: AdminKeyPageView })
  async list(): Promise<AdminKeyPageView> {
    const keys = await this.adminKeys.list();
    return { items: keys.map(({ name, role, ...record }) => ({ ...keyView(record), name, role })) };
  }

  @Delete(':id')
  @HttpCode(204)
  @Allow('admin')
  @ApiNoContentResponse()
  async revoke(@Param('id', IdPipe) id: string, @Actor() by: By): Promise<void> {
    await this.adminKeys.revoke(id, by);
    this.authenticator.doubt();
  }
}
