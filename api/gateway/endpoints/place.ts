/** Where a model may be asked for. */
export interface Place {
  provider: number;
  market: number;
}
