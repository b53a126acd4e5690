/** Which turn of the loop is this? A number for whoever gives each turn a budget; nobody is called at its end. */

let turn = 0;
let isCounted = false;

/** One count for the whole thread. */
export function currentTurn(): number {
  if (!isCounted) {
    isCounted = true;
    setImmediate(endTurn);
  }
  return turn;
}

function endTurn(): void {
  turn += 1;
  isCounted = false;
}
