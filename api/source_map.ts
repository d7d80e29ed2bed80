/**
 * Where the stack of an error is looked at, which streams do by themselves when a connection breaks, node reads the map of the whole bundle:
 * the first time that stops the process for as long as hundreds of orders take, on a busy machine for seconds. So it is done before anybody comes.
 */
export function readSourceMap(): void {
  void new Error('to be looked at').stack;
}
