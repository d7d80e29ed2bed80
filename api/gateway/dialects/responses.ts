/** POST /v1/responses */
import { z } from 'zod';
import type { Meter } from '../metering/meter.ts';
import { isCount } from './completion_usage.ts';
import { isObject, outputBound } from './dialect.ts';
import type { Dialect, EventRole, JsonObject, Shown } from './dialect.ts';
import { metadata, modelName, sampling, tokenCount } from './fields.ts';
import { responsePromptTokens, templateTokens } from './prompt.ts';
import { responsesByChat } from './responses_by_chat.ts';
import { withoutNulls } from './shape.ts';
import { responseEvents } from './whole_as_events.ts';

const KEPT_NOWHERE = 'is not available here: responses are not kept';
const none = z.null(KEPT_NOWHERE).optional();

export const responseBody = z.looseObject({
  model: modelName,
  input: z.union([z.string(), z.array(z.looseObject({})).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: tokenCount,
  ...sampling,
  top_logprobs: z.int().min(0).max(20).nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).max(128).nullish(),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), z.looseObject({ type: z.string() })]).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  metadata,
  truncation: z.enum(['auto', 'disabled']).nullish(),
  user: z.string().nullish(),
  previous_response_id: none,
  conversation: none,
  background: z.literal(false, KEPT_NOWHERE).nullish(),
}).refine((given) => given.tool_choice !== 'required' || (given.tools ?? []).length > 0, { path: ['tool_choice'], message: 'needs tools' });
export type ResponseBody = z.output<typeof responseBody>;

const TERMINAL = new Set(['response.completed', 'response.incomplete']);
const FAILED = new Set(['response.failed', 'error']);

function addOutput(output: unknown, meter: Meter): boolean {
  if (!Array.isArray(output)) return false;
  for (const item of output) {
    if (!isObject(item)) return false;
    meter.add(0, item.name);
    meter.add(0, item.arguments);
    for (const part of [...listOf(item.content), ...listOf(item.summary)]) {
      meter.add(0, part.text);
      meter.add(0, part.refusal);
    }
  }
  return true;
}
const listOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

function report(answer: JsonObject, meter: Meter): void {
  const { usage } = answer;
  if (isObject(usage)) meter.report({ prompt: usage.input_tokens, completion: usage.output_tokens });
}

const messagesIn = ({ input, instructions }: ResponseBody): number => (Array.isArray(input) ? input.length : 1) + (instructions == null ? 0 : 1);

/** The response object: the answer itself, or what an event carries. */
const responseIn = (answer: JsonObject): JsonObject => (isObject(answer.response) ? answer.response : answer);

/** What a response says of its request, where the endpoint does not. */
const echoed = (body: ResponseBody): JsonObject => ({
  error: null, incomplete_details: null, instructions: body.instructions ?? null, metadata: body.metadata ?? {}, parallel_tool_calls: body.parallel_tool_calls ?? true,
  temperature: body.temperature ?? 1, top_p: body.top_p ?? 1, tool_choice: body.tool_choice ?? 'auto', tools: body.tools?.map((tool) => ({ ...tool })) ?? [],
  max_output_tokens: body.max_output_tokens ?? null, text: body.text ?? { format: { type: 'text' } },
});

export function shapeResponse(response: JsonObject, shown: Shown, body: JsonObject): void {
  if (shown.id === '') shown.id = typeof response.id === 'string' && response.id !== '' ? response.id : shown.fallbackId;
  response.id = shown.id;
  response.object = 'response';
  response.model = shown.model;
  if (typeof response.created_at !== 'number') response.created_at = shown.created;
  if (typeof response.status !== 'string') response.status = 'completed';
  if (!Array.isArray(response.output)) response.output = [];
  for (const [name, value] of Object.entries(echoed(body as ResponseBody))) response[name] ??= value;
  for (const tool of listOf(response.tools)) shapeTool(tool);
  for (const [position, item] of listOf(response.output).entries()) shapeItem(item, itemIdOf(shown, position), 'completed');
  response.previous_response_id ??= null;
  response.store = false;
  withoutNulls(response, NEVER_NULL);
}
/** Fields of a response that are absent where there is nothing to say. */
/** What a part of the tokens was; 0 where the endpoint does not say. */
function detailsOf(details: unknown, counted: string): JsonObject {
  const known = isObject(details) ? details : {};
  return { ...known, [counted]: isCount(known[counted]) ? known[counted] : 0 };
}

const NEVER_NULL = ['usage', 'user', 'safety_identifier', 'prompt_cache_key', 'text'];

function shapeTool(tool: JsonObject): void {
  if (tool.type !== 'function') return;
  tool.parameters ??= null;
  tool.strict ??= null;
  withoutNulls(tool, ['defer_loading']);
}

const itemIdOf = ({ id, fallbackId }: Shown, position: number): string => `${(id === '' ? fallbackId : id).replace(/^resp[_-]?/, '')}${position}`;

function shapeItem(item: JsonObject, id: string, status: string): void {
  if (item.type === 'message') {
    if (typeof item.id !== 'string') item.id = `msg_${id}`;
    if (typeof item.status !== 'string') item.status = status;
    item.role = 'assistant';
    if (!Array.isArray(item.content)) item.content = [];
  } else if (item.type === 'reasoning') {
    if (typeof item.id !== 'string') item.id = `rs_${id}`;
    if (!Array.isArray(item.summary)) item.summary = [];
    withoutNulls(item, ['content', 'status']);
  } else {
    withoutNulls(item, ['id', 'status', 'namespace']);
  }
  listOf(item.content).forEach(shapePart);
}

function shapePart(part: JsonObject): void {
  if (part.type !== 'output_text') return;
  if (!Array.isArray(part.annotations)) part.annotations = [];
  if (!Array.isArray(part.logprobs)) part.logprobs = [];
}

/** Events about text bear its log probabilities, though they be none. */
const WITH_LOGPROBS = new Set(['response.output_text.delta', 'response.output_text.done']);

export const responses: Dialect = {
  path: '/responses',
  kinds: ['chat'],
  schema: responseBody,
  streams: true,
  endsWithDone: false,
  idPrefix: 'resp_',
  detour: responsesByChat,

  demand(body, model) {
    const response = body as ResponseBody;
    const promptTokens = responsePromptTokens(response);
    const asked = response.max_output_tokens;
    return { promptTokens, templateTokens: templateTokens(messagesIn(response)), completionTokens: outputBound(asked, promptTokens, model), openChoices: asked == null ? 1 : undefined, longestPrompt: promptTokens };
  },

  outgoing: (body, name, demand) => ({ ...body, model: name, max_output_tokens: demand.completionTokens, store: false }),

  readWhole(answer, meter) {
    if (answer.status === 'failed' || isObject(answer.error)) return false;
    report(answer, meter);
    return addOutput(answer.output, meter);
  },

  readEvent(event, meter): EventRole {
    const { type, delta } = event;
    if (typeof type !== 'string' || FAILED.has(type)) return 'failure';
    if (type.endsWith('.delta')) meter.add(0, delta);
    if (!TERMINAL.has(type)) return 'content';
    report(responseIn(event), meter);
    return 'terminal';
  },

  eventsOf(answer, shown, body) {
    if (answer.status === 'failed' || isObject(answer.error) || !Array.isArray(answer.output)) return undefined;
    shapeResponse(answer, shown, body);
    return responseEvents(answer);
  },
  eventName: ({ type }) => String(type),

  ending: () => undefined,
  wantsUsage: () => false,
  failure: ({ code, message, param }, { sequence }) => ({ event: 'error', data: { type: 'error', code, message, param, sequence_number: sequence } }),

  correctUsage(answer, { promptTokens, completionTokens }) {
    const response = responseIn(answer);
    const known = isObject(response.usage) ? response.usage : {};
    const total = promptTokens + completionTokens;
    const same = known.input_tokens === promptTokens && known.output_tokens === completionTokens;
    response.usage = {
      input_tokens: promptTokens, output_tokens: completionTokens, total_tokens: total,
      input_tokens_details: detailsOf(same ? known.input_tokens_details : undefined, 'cached_tokens'),
      output_tokens_details: detailsOf(same ? known.output_tokens_details : undefined, 'reasoning_tokens'),
    };
  },

  shapeWhole: shapeResponse,

  shapeEvent(event, shown, body) {
    const { sequence } = shown;
    const numbered = event.sequence_number === sequence;
    event.sequence_number = sequence;
    shown.sequence = sequence + 1;
    if (isObject(event.response)) shapeResponse(event.response, shown, body);
    else if (isObject(event.item)) shapeItem(event.item, itemIdOf(shown, typeof event.output_index === 'number' ? event.output_index : 0), event.type === 'response.output_item.added' ? 'in_progress' : 'completed');
    else if (isObject(event.part)) shapePart(event.part);
    else if (WITH_LOGPROBS.has(String(event.type)) && !Array.isArray(event.logprobs)) event.logprobs = [];
    else return !numbered;
    return true;
  },
};
