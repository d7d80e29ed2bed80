/**
 * How many tokens a request asks a model to read, by our own count. The structure around the text
 * counts as well: a few tokens for each message, a fixed number for an image.
 */
import { TokenCounter, countTokens } from '../metering/token_count.ts';

const PER_MESSAGE = 4;
const PER_REQUEST = 2;
/** As Llama's template has it, with its system message: none but those of a few models that think aloud is longer. */
const TEMPLATE = { request: 32, message: 4 };
/** @returns what of a chat so long a model's template may add to our count */
export const templateTokens = (messages: number): number => TEMPLATE.request + TEMPLATE.message * messages;

/** An image counts as this many tokens, whatever its size. */
export const PER_IMAGE = 1_024;

export interface ChatPrompt {
  messages: readonly unknown[];
  tools?: unknown;
  functions?: unknown;
  response_format?: unknown;
}

export function chatPromptTokens(body: ChatPrompt): number {
  let tokens = PER_REQUEST;
  for (const message of body.messages) tokens += PER_MESSAGE + contentTokens(message);
  return tokens + definitionTokens(body.tools) + definitionTokens(body.functions) + definitionTokens(body.response_format);
}

export interface ResponsePrompt {
  input?: unknown;
  instructions?: unknown;
  tools?: unknown;
  text?: unknown;
}

export function responsePromptTokens(body: ResponsePrompt): number {
  const items = Array.isArray(body.input) ? body.input : [body.input];
  let tokens = PER_REQUEST + contentTokens(body.instructions);
  for (const item of items) tokens += PER_MESSAGE + contentTokens(item);
  return tokens + definitionTokens(body.tools) + definitionTokens(body.text);
}

/** Text, texts, token ids, or lists of token ids. */
export function inputTokens(input: unknown): number {
  if (typeof input === 'string') return countTokens(input);
  if (!Array.isArray(input)) return 0;
  return input.every((entry) => typeof entry === 'number') ? input.length : input.reduce((sum: number, entry) => sum + inputTokens(entry), 0);
}

/** Of the largest one, where there are several. */
export function longestInput(input: unknown): number {
  if (!Array.isArray(input) || typeof input[0] === 'number') return inputTokens(input);
  return input.reduce((longest: number, entry) => Math.max(longest, inputTokens(entry)), 0);
}

const definitionTokens = (value: unknown): number => (value === undefined || value === null ? 0 : countTokens(JSON.stringify(value)));

/** All text inside a message or item; images by their number. */
function contentTokens(value: unknown): number {
  const counter = new TokenCounter();
  const images = addText(value, counter);
  return counter.total + images * PER_IMAGE;
}

function addText(value: unknown, counter: TokenCounter): number {
  if (typeof value === 'string') {
    counter.add(value);
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((images: number, entry) => images + addText(entry, counter), 0);
  if ('type' in value && (value.type === 'image_url' || value.type === 'input_image')) return 1;
  let images = 0;
  for (const [name, entry] of Object.entries(value)) {
    if (name !== 'type') images += addText(entry, counter);
  }
  return images;
}
