/**
 * Responses from endpoints that only know chat completions: the request is asked as a chat, and its
 * answer told as a response, whole or event by event.
 */
import { chat } from './chat.ts';
import { isFailure, isObject } from './dialect.ts';
import type { Demand } from '../metering/demand.ts';
import type { Detour, EventTranslator, JsonObject } from './dialect.ts';

const listOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** A part of a message's content, in the words of a chat. */
function partOf(part: JsonObject): JsonObject {
  const { type } = part;
  if (type === 'input_text' || type === 'output_text' || type === 'text') return { type: 'text', text: part.text };
  if (type === 'input_image') return { type: 'image_url', image_url: { url: part.image_url, ...(part.detail == null ? {} : { detail: part.detail }) } };
  if (type === 'input_file') return { type: 'file', file: { file_data: part.file_data, filename: part.filename, file_id: part.file_id } };
  return part.type === 'refusal' ? { type: 'text', text: part.refusal } : part;
}

const textOf = (content: unknown): string => (typeof content === 'string' ? content : listOf(content).map(({ text }) => (typeof text === 'string' ? text : '')).join(''));

/** Items in the order of the conversation; calls that follow each other belong to one message. */
function messagesOf(body: JsonObject): JsonObject[] {
  const messages: JsonObject[] = [];
  if (typeof body.instructions === 'string') messages.push({ role: 'system', content: body.instructions });
  if (typeof body.input === 'string') return [...messages, { role: 'user', content: body.input }];
  for (const item of listOf(body.input)) {
    const last = messages.at(-1);
    if (item.type === 'function_call') {
      const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } };
      if (last?.role === 'assistant' && Array.isArray(last.tool_calls)) last.tool_calls.push(call);
      else if (last?.role === 'assistant') last.tool_calls = [call];
      else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
    } else if (item.type === 'function_call_output') {
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: typeof item.output === 'string' ? item.output : textOf(item.output) });
    } else if (item.type === undefined || item.type === 'message') {
      const role = item.role === 'developer' ? 'system' : item.role;
      const plain = typeof item.content === 'string' || role === 'assistant' || role === 'system';
      messages.push({ role, content: plain ? textOf(item.content) : listOf(item.content).map(partOf) });
    }
  }
  return messages;
}

function toolsOf(tools: unknown): JsonObject[] {
  return listOf(tools).filter(({ type }) => type === 'function').map(({ name, description, parameters, strict }) => ({
    type: 'function', function: { name, ...(description == null ? {} : { description }), ...(parameters == null ? {} : { parameters }), ...(strict == null ? {} : { strict }) },
  }));
}

function choiceOf(choice: unknown): unknown {
  return isObject(choice) && choice.type === 'function' ? { type: 'function', function: { name: choice.name } } : choice;
}

function formatOf(text: unknown): JsonObject | undefined {
  const format = isObject(text) ? text.format : undefined;
  if (!isObject(format) || format.type === 'text') return undefined;
  const { type, ...schema } = format;
  return type === 'json_schema' ? { type, json_schema: schema } : { type };
}

/** Fields of a response that a chat has under the same name. */
const SAME = ['temperature', 'top_p', 'parallel_tool_calls', 'user', 'seed', 'stop', 'presence_penalty', 'frequency_penalty', 'service_tier', 'safety_identifier', 'prompt_cache_key'];
/** Fields of a response that mean nothing to a chat, or are told otherwise. */
const OWN = new Set([...SAME, 'model', 'input', 'instructions', 'tools', 'tool_choice', 'text', 'reasoning', 'max_output_tokens', 'top_logprobs', 'include', 'stream', 'stream_options', 'store', 'truncation',
  'metadata', 'previous_response_id', 'conversation', 'background', 'max_tool_calls', 'prompt']);

function chatBodyOf(body: JsonObject): JsonObject {
  const asked: JsonObject = { model: body.model, messages: messagesOf(body) };
  for (const name of SAME) if (body[name] != null) asked[name] = body[name];
  // What we do not know may mean something to the endpoint.
  for (const [name, value] of Object.entries(body)) if (!OWN.has(name)) asked[name] = value;
  const tools = toolsOf(body.tools);
  if (tools.length > 0) {
    asked.tools = tools;
    if (body.tool_choice != null) asked.tool_choice = choiceOf(body.tool_choice);
  }
  const format = formatOf(body.text);
  if (format !== undefined) asked.response_format = format;
  if (isObject(body.reasoning) && body.reasoning.effort != null) asked.reasoning_effort = body.reasoning.effort;
  const wantsLogprobs = Array.isArray(body.include) && body.include.includes('message.output_text.logprobs');
  if (wantsLogprobs || body.top_logprobs != null) Object.assign(asked, { logprobs: true, ...(body.top_logprobs == null ? {} : { top_logprobs: body.top_logprobs }) });
  if (body.stream === true) asked.stream = true;
  return asked;
}

const KNOWN_ITEMS: ReadonlySet<unknown> = new Set([undefined, 'message', 'function_call', 'function_call_output', 'reasoning']);
const onlyChats = (what: string): string => `${what} is not available: the endpoint of this model knows chat completions alone`;

/** Tools of the service's own, templates and items that it keeps: a chat has none, and an answer without them would be another one. */
function untold(body: JsonObject): { field: string; detail: string } | undefined {
  const tools = Array.isArray(body.tools) ? body.tools : [];
  const tool = tools.findIndex((given) => isObject(given) && given.type !== 'function');
  if (tool >= 0) return { field: `tools[${tool}].type`, detail: onlyChats(`a tool of type "${String((tools[tool] as JsonObject).type)}"`) };
  if (body.prompt != null) return { field: 'prompt', detail: onlyChats('a prompt template') };
  if (isObject(body.tool_choice) && body.tool_choice.type !== 'function') return { field: 'tool_choice', detail: onlyChats(`the choice "${String(body.tool_choice.type)}"`) };
  const items = Array.isArray(body.input) ? body.input : [];
  const item = items.findIndex((given) => isObject(given) && !KNOWN_ITEMS.has(given.type));
  return item < 0 ? undefined : { field: `input[${item}].type`, detail: onlyChats(`an item of type "${String((items[item] as JsonObject).type)}"`) };
}

const usageOf = (usage: unknown): JsonObject | undefined =>
  isObject(usage)
    ? {
        input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens, total_tokens: usage.total_tokens,
        input_tokens_details: usage.prompt_tokens_details, output_tokens_details: usage.completion_tokens_details,
      }
    : undefined;

const messageItem = (id: string, status: string, content: JsonObject[]): JsonObject => ({ type: 'message', id: `msg_${id}`, status, role: 'assistant', content });
const textPart = (text: string, logprobs: JsonObject[] = []): JsonObject => ({ type: 'output_text', text, annotations: [], logprobs });
const likely = ({ token, logprob, bytes }: JsonObject): JsonObject => ({ token, logprob, bytes: Array.isArray(bytes) ? bytes : [] });
/** The log probabilities of a choice's text, as a response has them. */
const logprobsOf = ({ logprobs }: JsonObject): JsonObject[] =>
  (isObject(logprobs) ? listOf(logprobs.content) : []).map((entry) => ({ ...likely(entry), top_logprobs: listOf(entry.top_logprobs).map(likely) }));
const refusalPart = (refusal: string): JsonObject => ({ type: 'refusal', refusal });
const reasoningItem = (id: string, text: string): JsonObject => ({ type: 'reasoning', id: `rs_${id}`, summary: [], content: [{ type: 'reasoning_text', text }] });
const callItem = (id: string, status: string, callId: unknown, name: unknown, args: string): JsonObject => ({
  type: 'function_call', id: `fc_${id}`, call_id: typeof callId === 'string' ? callId : `call_${id}`, name, arguments: args, status,
});
const isCut = (reason: unknown): boolean => reason === 'length' || reason === 'max_tokens';
const ended = (reason: unknown): JsonObject =>
  isCut(reason) ? { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }
  : reason === 'content_filter' ? { status: 'incomplete', incomplete_details: { reason: 'content_filter' } } : { status: 'completed', incomplete_details: null };

function wholeOf(answer: JsonObject, fallbackId: string): JsonObject | undefined {
  const [choice] = listOf(answer.choices);
  if (choice === undefined || !isObject(choice.message)) return undefined;
  const { message, finish_reason: reason } = choice;
  const id = typeof answer.id === 'string' && answer.id !== '' ? answer.id.replace(/^chatcmpl-?/, '') : fallbackId.replace(/^resp_/, '');
  const end = ended(reason);
  const status = String(end.status);
  const output: JsonObject[] = [];
  const reasoning = message.reasoning_content ?? message.reasoning;
  if (typeof reasoning === 'string' && reasoning !== '') output.push(reasoningItem(`${id}_0`, reasoning));
  const calls = listOf(message.tool_calls);
  const content: JsonObject[] = [];
  const text = textOf(message.content);
  if (text !== '' || (calls.length === 0 && typeof message.refusal !== 'string')) content.push(textPart(text, logprobsOf(choice)));
  if (typeof message.refusal === 'string' && message.refusal !== '') content.push(refusalPart(message.refusal));
  // What was cut is the last that was said.
  if (content.length > 0) output.push(messageItem(`${id}_${output.length}`, calls.length === 0 ? status : 'completed', content));
  for (const [place, call] of calls.entries()) {
    const named = isObject(call.function) ? call.function : {};
    const args = typeof named.arguments === 'string' ? named.arguments : JSON.stringify(named.arguments ?? {});
    output.push(callItem(`${id}_${output.length}`, place === calls.length - 1 ? status : 'completed', call.id, named.name, args));
  }
  return { id: `resp_${id}`, object: 'response', created_at: answer.created, ...end, output, usage: usageOf(answer.usage) };
}

type TextKind = 'message' | 'refusal' | 'reasoning';
/** An item of the output while it is being told. */
interface OpenItem {
  kind: TextKind | 'call';
  id: string;
  index: number;
  text: string;
  logprobs: JsonObject[];
  callId: unknown;
  name: unknown;
}

type Event = { event: string; data: JsonObject };

/** Tells the chunks of a chat as the events of a response; what follows the last chunk waits for `end`. */
class ChatAsResponse implements EventTranslator {
  private readonly id: string;
  private readonly output: JsonObject[] = [];
  private items = 0;
  private open: OpenItem | undefined;
  /** By their place in the chat; several may be told in turns. */
  private readonly calls = new Map<number, OpenItem>();
  private begun = false;
  private reason: unknown;
  private usage: JsonObject | undefined;
  private created: unknown;

  constructor(fallbackId: string) {
    this.id = fallbackId.replace(/^resp_/, '');
  }

  next(chunk: JsonObject): Event[] {
    if (isFailure(chunk)) return [told('error', {})];
    const events: Event[] = [];
    if (!this.begun) {
      this.begun = true;
      this.created = chunk.created;
      events.push(told('response.created', { response: this.response({ status: 'in_progress' }) }), told('response.in_progress', { response: this.response({ status: 'in_progress' }) }));
    }
    this.usage = usageOf(chunk.usage) ?? this.usage;
    for (const choice of listOf(chunk.choices)) {
      if (isObject(choice.delta)) this.addDelta(choice.delta, logprobsOf(choice), events);
      if (typeof choice.finish_reason === 'string') this.reason = choice.finish_reason;
    }
    return events;
  }

  end(): Event[] {
    if (this.reason === undefined) return [];
    const end = ended(this.reason);
    const events: Event[] = [];
    this.close(events, String(end.status));
    // What was cut is the last that was begun.
    for (const call of this.calls.values()) this.finish(call, events, call.index === this.items - 1 ? String(end.status) : 'completed');
    return [...events, told(`response.${String(end.status)}`, { response: this.response({ ...end, output: this.output, usage: this.usage }) })];
  }

  private response(fields: JsonObject): JsonObject {
    return { id: `resp_${this.id}`, object: 'response', created_at: this.created, output: [], ...fields };
  }

  private addDelta(delta: JsonObject, logprobs: JsonObject[], events: Event[]): void {
    const reasoning = delta.reasoning_content ?? delta.reasoning;
    if (typeof reasoning === 'string' && reasoning !== '') this.addText('reasoning', reasoning, events);
    if (typeof delta.content === 'string' && delta.content !== '') this.addText('message', delta.content, events, logprobs);
    if (typeof delta.refusal === 'string' && delta.refusal !== '') this.addText('refusal', delta.refusal, events);
    for (const call of listOf(delta.tool_calls)) this.addCall(call, events);
  }

  private addText(kind: TextKind, text: string, events: Event[], logprobs: JsonObject[] = []): void {
    const item = this.open?.kind === kind ? this.open : this.begin({ kind, callId: undefined, name: undefined }, events);
    this.open = item;
    item.text += text;
    item.logprobs.push(...logprobs);
    events.push(told(`response.${TEXTS[kind].name}.delta`, { ...this.place(item), delta: text, ...(kind === 'message' ? { logprobs } : {}) }));
  }

  private addCall(call: JsonObject, events: Event[]): void {
    const position = typeof call.index === 'number' ? call.index : 0;
    const named = isObject(call.function) ? call.function : {};
    let item = this.calls.get(position);
    if (item === undefined) this.calls.set(position, (item = this.begin({ kind: 'call', callId: call.id, name: named.name }, events)));
    if (typeof named.arguments !== 'string' || named.arguments === '') return;
    item.text += named.arguments;
    events.push(told('response.function_call_arguments.delta', { item_id: itemIdOf(item), output_index: item.index, delta: named.arguments }));
  }

  private begin(what: Pick<OpenItem, 'kind' | 'callId' | 'name'>, events: Event[]): OpenItem {
    this.close(events, 'completed');
    const item = { ...what, id: `${this.id}_${this.items}`, index: this.items, text: '', logprobs: [] };
    this.items += 1;
    events.push(told('response.output_item.added', { output_index: item.index, item: toldItem(item, 'in_progress', true) }));
    if (item.kind !== 'call') events.push(told('response.content_part.added', { ...this.place(item), part: partOfItem(item.kind, '', []) }));
    return item;
  }

  private close(events: Event[], status: string): void {
    const item = this.open;
    this.open = undefined;
    if (item !== undefined) this.finish(item, events, status);
  }

  private finish(item: OpenItem, events: Event[], status: string): void {
    const whole = toldItem(item, status, false);
    if (item.kind === 'call') {
      events.push(told('response.function_call_arguments.done', { item_id: itemIdOf(item), output_index: item.index, name: item.name, arguments: item.text }));
    } else {
      const { name, field } = TEXTS[item.kind];
      const more = item.kind === 'message' ? { logprobs: item.logprobs } : {};
      events.push(told(`response.${name}.done`, { ...this.place(item), [field]: item.text, ...more }), told('response.content_part.done', { ...this.place(item), part: partOfItem(item.kind, item.text, item.logprobs) }));
    }
    this.output[item.index] = whole;
    events.push(told('response.output_item.done', { output_index: item.index, item: whole }));
  }

  private place(item: OpenItem): JsonObject {
    return { item_id: itemIdOf(item), output_index: item.index, content_index: 0 };
  }
}

const told = (type: string, fields: JsonObject): Event => ({ event: type, data: { type, ...fields } });
/** How the events of a text are called, and where they bear all of it. */
const TEXTS: Record<TextKind, { name: string; field: string }> = {
  message: { name: 'output_text', field: 'text' },
  refusal: { name: 'refusal', field: 'refusal' },
  reasoning: { name: 'reasoning_text', field: 'text' },
};
function partOfItem(kind: TextKind, text: string, logprobs: JsonObject[]): JsonObject {
  if (kind === 'message') return textPart(text, logprobs);
  return kind === 'refusal' ? refusalPart(text) : { type: 'reasoning_text', text };
}
const PREFIXES = { message: 'msg_', refusal: 'msg_', reasoning: 'rs_', call: 'fc_' };
const itemIdOf = ({ kind, id }: OpenItem): string => PREFIXES[kind] + id;

function toldItem(item: OpenItem, status: string, empty: boolean): JsonObject {
  if (item.kind === 'call') return callItem(item.id, status, item.callId, item.name, item.text);
  if (item.kind === 'reasoning') return { ...reasoningItem(item.id, item.text), ...(empty ? { content: [] } : {}) };
  return messageItem(item.id, status, empty ? [] : [partOfItem(item.kind, item.text, item.logprobs)]);
}

export const responsesByChat: Detour = {
  path: chat.path,
  untold,
  outgoing: (body: JsonObject, name: string, demand: Demand) => chat.outgoing(chatBodyOf(body), name, demand),
  whole: wholeOf,
  events: (fallbackId) => new ChatAsResponse(fallbackId),
  eventsOf: chat.eventsOf,
};
