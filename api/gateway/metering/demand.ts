/** What a request asks for, in tokens. */
export interface Demand {
  /** By our own count. */
  promptTokens: number;
  /** What a model's own template may add to that: words around each message, and a system message where the client sends none. */
  templateTokens?: number;
  /** At most, of all choices together. */
  completionTokens: number;
  /** The client has not said how many: they are the model's default, for so many choices. */
  openChoices?: number;
  /** Of the prompts in the request, the one that needs most of the model's context. */
  longestPrompt: number;
  /** By choice: the prompt that it is asked to repeat, or how many tokens that has. What is repeated was read, not written. */
  echoed?: readonly (string | number)[];
}
