import { describe, expect, it } from 'vitest';
import { backoff, Batcher, StreamParser } from '../src/api/feed';

describe('the stream of events', () => {
    const text =
        'retry: 2000\n: orch events, schema 1\n\nid: 7\nevent: run_started\ndata: {"pos":7}\n\nid: 9\n: keep-alive\n\nevent: end\ndata: {"reason":\ndata: 1}\n\n';

    it('is read the same wherever it is cut', () => {
        for (let cut = 0; cut <= text.length; cut++) {
            const parser = new StreamParser();
            const messages = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
            expect(messages.map((one) => [one.event, one.data])).toEqual([
                ['run_started', '{"pos":7}'],
                ['end', '{"reason":\n1}'],
            ]);
        }
    });

    it('remembers the position of a comment, so that it goes on behind what did not concern it', () => {
        const parser = new StreamParser();
        parser.push('id: 9\n: keep-alive\n\n');
        expect(parser.id).toBe('9');
    });

    it('does not take the position of a message that has not come whole', () => {
        const parser = new StreamParser();
        parser.push('id: 3\nevent: a\ndata: {}\n\nid: 4\nevent: b\nda');
        expect(parser.id).toBe('3');
    });
});

describe('a batch', () => {
    it('holds all that came before the frame, in order, and is flushed once', () => {
        const frames: (() => void)[] = [];
        const flushed: number[][] = [];
        const batcher = new Batcher<number>(
            (batch) => flushed.push(batch),
            (run) => frames.push(run),
        );
        batcher.push([1, 2]);
        batcher.push([]);
        batcher.push([3]);
        expect(frames).toHaveLength(1);
        expect(flushed).toEqual([]);
        frames[0]!();
        expect(flushed).toEqual([[1, 2, 3]]);
        batcher.push([4]);
        expect(frames).toHaveLength(2);
        frames[1]!();
        frames[1]!();
        expect(flushed).toEqual([[1, 2, 3], [4]]);
    });
});

it('waits longer after each failure, up to a limit, and never the same for all', () => {
    expect(backoff(0, 1)).toBe(500);
    expect(backoff(3, 1)).toBe(4000);
    expect(backoff(30, 1)).toBe(15_000);
    expect(backoff(30, 0)).toBe(7500);
});
