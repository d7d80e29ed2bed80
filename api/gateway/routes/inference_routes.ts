/** The paths of OpenAI's protocol that take a prompt. */
import { z } from 'zod';
import { principalIn } from '../../http/middleware/caller.ts';
import { route } from '../../http/route.ts';
import type { Route } from '../../http/route.ts';
import type { Asked } from '../relay/call.ts';
import { chat } from '../dialects/chat.ts';
import { completions } from '../dialects/completions.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { embeddings } from '../dialects/embeddings.ts';
import { responses } from '../dialects/responses.ts';
import type { Outgoing } from '../relay/outgoing.ts';

/** Pictures travel inside the body. */
const BODY_LIMIT_BYTES = 20 * 1024 * 1024;

export const receiptSchema = z.object({
  provider: z.string(),
  endpoint: z.string(),
  allocation_id: z.string(),
  gpu_seconds: z.string(),
  credits_used: z.string().describe('CR retired, and the fees of hours bought on the spot book for this request'),
  credits_remaining: z.string(),
  estimated: z.literal(true).optional().describe("The endpoint's own figures were missing or not to be believed: these are ours"),
});
const counts = z.int().nonnegative();
const usage = z.looseObject({ prompt_tokens: counts, completion_tokens: counts.optional(), total_tokens: counts });
const answers = {
  chat: z.looseObject({ id: z.string(), object: z.literal('chat.completion'), model: z.string(), choices: z.array(z.looseObject({ message: z.looseObject({}) })), usage, x_ccx: receiptSchema }),
  completion: z.looseObject({ id: z.string(), object: z.literal('text_completion'), model: z.string(), choices: z.array(z.looseObject({ text: z.string() })), usage, x_ccx: receiptSchema }),
  embedding: z.looseObject({ object: z.literal('list'), model: z.string(), data: z.array(z.looseObject({ embedding: z.unknown() })), usage, x_ccx: receiptSchema }),
  response: z.looseObject({ id: z.string(), object: z.literal('response'), model: z.string(), output: z.array(z.looseObject({})), x_ccx: receiptSchema }),
};

interface Server {
  serve(dialect: Dialect, asked: Asked, out: Outgoing): Promise<void>;
}
interface Described {
  dialect: Dialect;
  operationId: string;
  summary: string;
  answer: z.ZodType;
}
const PATHS: readonly Described[] = [
  { dialect: chat, operationId: 'createChatCompletion', summary: 'A chat completion, whole or as a stream of events', answer: answers.chat },
  { dialect: completions, operationId: 'createCompletion', summary: 'A text completion, whole or as a stream of events', answer: answers.completion },
  { dialect: embeddings, operationId: 'createEmbedding', summary: 'Embeddings of texts', answer: answers.embedding },
  { dialect: responses, operationId: 'createResponse', summary: "A model's response, whole or as a stream of events", answer: answers.response },
];

export const inferenceRoutes = (gateway: Server): Route[] =>
  PATHS.map(({ dialect, operationId, summary, answer }) =>
    route({
      method: 'post', path: `/v1${dialect.path}`, operationId, summary, tag: 'inference', scope: 'inference', bodyLimit: BODY_LIMIT_BYTES, body: dialect.schema, isOrdinary: dialect.isOrdinary,
      responses: { 200: { description: 'With `"stream": true`, server-sent events instead.', schema: answer } },
      async handle(context) {
        const { out, request, idempotencyKey, bodyHash } = context;
        if (out === undefined) throw new Error(`${dialect.path} is asked for at the door`);
        const header = (name: string): string | undefined => {
          const given = request.headers[name];
          return Array.isArray(given) ? given[0] : given;
        };
        const asked: Asked = {
          principal: principalIn(context), body: context.body as Asked['body'], provider: header('x-ccx-provider'), strategy: header('x-ccx-strategy'),
          session: header('x-ccx-session'), hedge: header('x-ccx-hedge'), idempotencyKey, bodyHash,
        };
        await gateway.serve(dialect, asked, out);
        return undefined;
      },
    }),
  );
