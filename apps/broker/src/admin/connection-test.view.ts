import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { ConnectionTest } from '#providers';
import { FailureView, failureView } from './failure.view';

const texts = { type: 'object', additionalProperties: { type: 'string' } } as const;
type Texts = Record<string, string>;

class TestedRequestView {
  @ApiProperty({ example: 'POST' })
  method: string;

  @ApiProperty()
  url: string;

  @ApiProperty(texts)
  headers: Texts;

  @ApiPropertyOptional()
  body?: string;
}

class TestedAnswerView {
  @ApiProperty()
  status: number;

  @ApiProperty(texts)
  headers: Texts;

  @ApiProperty()
  body: string;
}

class TestedStepView {
  @ApiProperty({ description: "The step's id; `discovery` for the issuer's metadata." })
  id: string;

  @ApiProperty({ type: TestedRequestView })
  request: TestedRequestView;

  @ApiPropertyOptional({ type: TestedAnswerView, description: 'Absent when none came.' })
  answer?: TestedAnswerView;

  @ApiProperty()
  duration_ms: number;
}

class PresentView {
  @ApiProperty(texts)
  headers: Texts;

  @ApiPropertyOptional(texts)
  query?: Texts;

  @ApiPropertyOptional(texts)
  cookies?: Texts;
}

class ExtractedView {
  @ApiProperty({ description: 'The token, masked.' })
  token: string;

  @ApiProperty()
  life_seconds: number;

  @ApiPropertyOptional()
  scope?: string;

  @ApiPropertyOptional(texts)
  outputs?: Texts;

  @ApiProperty({ type: PresentView, description: 'What API calls would carry, masked.' })
  present: PresentView;
}

class TestFailureView extends FailureView {
  @ApiPropertyOptional()
  retry_after_seconds?: number;
}

export class ConnectionTestView {
  @ApiProperty({ description: 'A token could be got.' })
  ok: boolean;

  @ApiPropertyOptional({ description: 'HTTP status of the answer that decided.' })
  provider_status?: number;

  @ApiPropertyOptional()
  error?: string;

  @ApiPropertyOptional({ description: 'What to do.' })
  hint?: string;

  @ApiProperty()
  duration_ms: number;

  @ApiProperty({ type: [TestedStepView] })
  steps: TestedStepView[];

  @ApiPropertyOptional({ type: ExtractedView })
  extracted?: ExtractedView;

  @ApiPropertyOptional({ type: TestFailureView })
  failure?: TestFailureView;
}

export function connectionTestView(test: ConnectionTest): ConnectionTestView {
  const { ok, durationMs, extracted, failure } = test;
  const steps = test.steps.map(({ durationMs: ms, ...step }) => ({ ...step, duration_ms: ms }));
  const lastStatus = steps.at(-1)?.answer?.status;
  const status = failure ? failure.providerStatus : lastStatus;
  return {
    ok,
    ...(status !== undefined && { provider_status: status }),
    ...(failure && { error: failure.message, ...(failure.hint !== undefined && { hint: failure.hint }) }),
    duration_ms: durationMs,
    steps,
    ...(extracted && { extracted: extractedView(extracted) }),
    ...(failure && { failure: testFailureView(failure) }),
  };
}

function extractedView({ lifeSeconds, ...rest }: NonNullable<ConnectionTest['extracted']>): ExtractedView {
  return { ...rest, life_seconds: lifeSeconds };
}

function testFailureView({ retryAfterSeconds, ...failure }: NonNullable<ConnectionTest['failure']>): TestFailureView {
  return {
    ...failureView(failure),
    ...(retryAfterSeconds !== undefined && { retry_after_seconds: retryAfterSeconds }),
  };
}
