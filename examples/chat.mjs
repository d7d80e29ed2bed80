/** A developer: a completion and a stream through the official SDK, and what they cost. `node examples/chat.mjs` */
import OpenAI from 'openai';
import { demo } from './demo.mjs';

const client = new OpenAI({ apiKey: demo.gateway_key, baseURL: `${demo.url}/v1` });
const model = process.argv[2] ?? (await client.models.list()).data[0].id;
const messages = [{ role: 'user', content: 'Why is a GPU hour like electricity?' }];

const completion = await client.chat.completions.create({ model, messages, max_tokens: 60 });
console.log(completion.choices[0].message.content);
const { provider, gpu_seconds, credits_used, credits_remaining } = completion.x_ccx;
console.log(`\n${model} on ${provider}: ${gpu_seconds} GPU-seconds, ${credits_used} CR, ${credits_remaining} CR remain\n`);

const stream = await client.chat.completions.create({ model, messages, max_tokens: 60, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) process.stdout.write(chunk.usage ? `\n${JSON.stringify(chunk.usage)}\n` : (chunk.choices[0]?.delta?.content ?? ''));
