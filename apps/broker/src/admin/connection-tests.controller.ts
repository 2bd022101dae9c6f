import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { By } from '#registry';
import { Actor, Allow } from '../auth/allow';
import { ConnectionTestView, connectionTestView } from './connection-test.view';
import { ConnectionTests } from './connection-tests';

const open = { type: 'object', additionalProperties: true };
const properties = {
  provider: { type: 'string', example: 'capillary' },
  provider_version: { type: 'integer', description: 'Absent: the one that a new client would get.' },
  source: { type: 'string', description: 'In place of a provider: a definition as YAML.' },
  definition: { ...open, description: 'In place of a provider: a definition.' },
  inputs: { ...open, description: 'As for a client. They are not stored.' },
};

@ApiTags('providers')
@ApiBearerAuth()
@Controller('v1/connection-tests')
export class ConnectionTestsController {
  constructor(private readonly tests: ConnectionTests) {}

  /** Tries to get a token, shows each request and answer with secrets masked, and stores nothing. */
  @Post()
  @HttpCode(200)
  @Allow('admin')
  @ApiBody({ schema: { type: 'object', required: ['inputs'], properties } })
  @ApiOkResponse({ type: ConnectionTestView, description: 'What came of it, good or bad: see `ok`.' })
  async run(@Body() body: unknown, @Actor() by: By): Promise<ConnectionTestView> {
    return connectionTestView(await this.tests.run(body, by));
  }
}
