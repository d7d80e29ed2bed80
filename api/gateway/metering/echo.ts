/** How much of a prompt an answer repeats at its beginning, as it was asked to: some endpoints do not, and what they write then is an answer. */
export class Echo {
  private readonly prompt: string;
  /** What has come, as long as it agrees with the prompt. */
  private at = 0;
  private differs = false;

  constructor(prompt: string) {
    // Servers differ in what they make of white space before the first word.
    this.prompt = prompt.trimStart();
  }

  hear(text: string): void {
    if (this.differs || this.at === this.prompt.length) return;
    const told = this.at === 0 ? text.trimStart() : text;
    const expected = this.prompt.slice(this.at, this.at + told.length);
    this.differs = !told.startsWith(expected);
    this.at += expected.length;
  }

  /** What was repeated. */
  get heard(): string {
    return this.differs ? '' : this.prompt.slice(0, this.at);
  }
}
