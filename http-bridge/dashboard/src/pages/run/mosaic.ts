// How the tasks of a group are packed into its rectangle: cells of one size, row by row; where there are more tasks than cells can be told apart, a cell stands for
// several, and shows the one that somebody should look at.
import { taskStates } from '../../ui/states';

export const mosaicWidth = 140;
const mosaicHeight = 160;
const largest = 10;
const smallest = 3;

export interface Mosaic {
    columns: number;
    rows: number;
    /** From cell to cell, with the gap. */
    pitch: number;
    gap: number;
    perCell: number;
    height: number;
}

export function packMosaic(count: number): Mosaic {
    let pitch = largest;
    while (pitch > smallest && Math.ceil(count / Math.floor(mosaicWidth / pitch)) * pitch > mosaicHeight) pitch--;
    const columns = Math.floor(mosaicWidth / pitch);
    const perCell = Math.max(1, Math.ceil(count / (columns * Math.floor(mosaicHeight / pitch))));
    const rows = Math.max(1, Math.ceil(Math.ceil(count / perCell) / columns));
    return { columns, rows, pitch, gap: pitch > 5 ? 2 : 1, perCell, height: rows * pitch };
}

const weight = new Map<string, number>(taskStates.map((state, i) => [state, i]));

/** Of several states the one that is shown: what failed before what runs before what is over. */
export function loudest(states: readonly string[]): string {
    let best = states[0] ?? 'pending';
    for (const state of states) if ((weight.get(state) ?? 99) < (weight.get(best) ?? 99)) best = state;
    return best;
}

/** Which task a point of the mosaic is; -1 beside them. */
export function taskAt(mosaic: Mosaic, count: number, x: number, y: number): number {
    const column = Math.floor(x / mosaic.pitch);
    const row = Math.floor(y / mosaic.pitch);
    if (column < 0 || column >= mosaic.columns || row < 0 || row >= mosaic.rows) return -1;
    const at = (row * mosaic.columns + column) * mosaic.perCell;
    return at < count ? at : -1;
}
