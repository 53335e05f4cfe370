// When each task ran, one row each, in the order of their beginning. Only the rows that are seen are there; ctrl and the wheel zoom, shift and the wheel move.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { isOver, type Task } from '../../api/types';
import { Empty, formatDuration, formatElapsed, StateSign, toneOf, useNow } from '../../ui';
import { ticks, zoom } from './scale';
import type { RunModel } from './model';
import css from './Timeline.module.css';
import { useVersion } from './useRun';

const rowHeight = 24;
/** Behind the last bar, for its time. */
const room = 1.1;
const begin = (task: Task): number => Date.parse(task.started_at ?? task.ready_at ?? '');

export function Timeline({ model, chosen, onChoose }: { model: RunModel; chosen: string | null; onChoose: (task: string) => void }) {
    const version = useVersion(model);
    const run = model.run;
    const live = run !== null && !isOver(run.state);
    const now = useNow(live);
    const scroller = useRef<HTMLDivElement>(null);
    const scale = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(600);
    const [view, setView] = useState<[number, number] | null>(null);

    const rows = useMemo(
        () =>
            model.tasks
                .filter((task) => task.started_at !== null || task.state === 'ready')
                .map((task) => ({ task, at: begin(task) }))
                .sort((a, b) => a.at - b.at || (a.task.level ?? 0) - (b.task.level ?? 0) || a.task.task_no - b.task.task_no),
        [model, version],
    );
    const start = Date.parse(run?.started_at ?? run?.created_at ?? '') || rows[0]?.at || now;
    const end = useMemo(() => {
        const last = rows.reduce((most, { task, at }) => Math.max(most, task.finished_at ? Date.parse(task.finished_at) : at), start);
        return run?.finished_at ? Math.max(last, Date.parse(run.finished_at)) : last;
    }, [rows, run, start]);
    const whole: [number, number] = [0, Math.max(0.001, (((live ? Math.max(now, end) : end) - start) / 1000) * room)];
    const [from, to] = view ?? whole;
    const percent = (ms: number): number => (((ms - start) / 1000 - from) / (to - from)) * 100;

    const virtual = useVirtualizer({
        count: rows.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => rowHeight,
        overscan: 8,
        scrollPaddingStart: 26,
    });
    useEffect(() => {
        const element = scale.current;
        if (!element) return;
        const observer = new ResizeObserver(() => setWidth(element.clientWidth));
        observer.observe(element);
        return () => observer.disconnect();
    }, [rows.length > 0]);
    useEffect(() => {
        if (chosen === null) return;
        const at = rows.findIndex(({ task }) => task.task_id === chosen);
        if (at >= 0) virtual.scrollToIndex(at);
        // Where it was chosen is enough: rows that come later move it.
    }, [chosen]);

    const latest = useRef({ view: [from, to] as [number, number], whole });
    latest.current = { view: [from, to], whole };
    useEffect(() => {
        const element = scroller.current;
        if (!element) return;
        const onWheel = (event: WheelEvent): void => {
            if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
            event.preventDefault();
            const box = scale.current!.getBoundingClientRect();
            const { view: seen, whole: all } = latest.current;
            if (event.shiftKey) {
                const by = ((event.deltaX || event.deltaY) / box.width) * (seen[1] - seen[0]);
                const first = Math.max(all[0], Math.min(all[1] - (seen[1] - seen[0]), seen[0] + by));
                return setView([first, first + seen[1] - seen[0]]);
            }
            const next = zoom(seen, all, Math.exp(event.deltaY / 200), Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)));
            setView(next[1] - next[0] >= (all[1] - all[0]) * 0.999 ? null : next);
        };
        // Not by React: its listener may not keep the page from zooming.
        element.addEventListener('wheel', onWheel, { passive: false });
        return () => element.removeEventListener('wheel', onWheel);
    }, [rows.length > 0]);

    if (rows.length === 0) return <Empty title={live ? 'No task has begun yet' : 'No task has run'}>A row is here as soon as one is leased.</Empty>;
    const lines = ticks(from, to, Math.max(2, width / 90));
    return (
        <div ref={scroller} className={css.timeline} tabIndex={0} role="region" aria-label="Timeline">
            <div className={css.axis} aria-hidden="true">
                <span className={css.axisName}>since the start</span>
                <div ref={scale} className={css.scale}>
                    {lines.map((at) => (
                        <span key={at} className={css.tick} style={{ left: `${((at - from) / (to - from)) * 100}%` }}>
                            {at === 0 ? '0' : formatDuration(at).replace(/\.?0+ s$/, (zeros) => (zeros.startsWith('.') ? ' s' : zeros))}
                        </span>
                    ))}
                    {view && (
                        <button
                            type="button"
                            className={`link ${css.tools}`}
                            style={{ border: 0, background: 'var(--surface)', cursor: 'pointer' }}
                            tabIndex={-1}
                            onClick={() => setView(null)}
                        >
                            all
                        </button>
                    )}
                </div>
            </div>
            <div className={css.rows} style={{ height: virtual.getTotalSize() }}>
                <div className={css.lines}>
                    {lines.map((at) => (
                        <i key={at} style={{ left: `${((at - from) / (to - from)) * 100}%` }} />
                    ))}
                </div>
                {virtual.getVirtualItems().map((line) => {
                    const { task } = rows[line.index]!;
                    const ready = task.ready_at ? Date.parse(task.ready_at) : null;
                    const started = task.started_at ? Date.parse(task.started_at) : null;
                    const stop = task.finished_at ? Date.parse(task.finished_at) : Math.max(now, started ?? 0);
                    const left = started === null ? null : percent(started);
                    const right = percent(stop);
                    const took = started === null ? null : (stop - started) / 1000;
                    return (
                        <button
                            key={task.task_id}
                            type="button"
                            tabIndex={-1}
                            className={css.row}
                            data-chosen={task.task_id === chosen}
                            style={{ transform: `translateY(${line.start}px)` }}
                            onClick={() => onChoose(task.task_id)}
                        >
                            <span className={css.name}>
                                <StateSign state={task.state} size={12} />
                                <span className="truncate" title={task.task_id}>
                                    {task.task_id}
                                </span>
                            </span>
                            <span className={css.track}>
                                {ready !== null && started !== null && started > ready && (
                                    <span className={css.wait} style={{ left: `${percent(ready)}%`, width: `${percent(started) - percent(ready)}%` }} />
                                )}
                                {left !== null && (
                                    <>
                                        <span
                                            className={css.bar}
                                            data-running={task.finished_at === null}
                                            style={
                                                {
                                                    left: `${left}%`,
                                                    width: `${Math.max(0, right - left)}%`,
                                                    '--colour': `var(--${toneOf(task.state)})`,
                                                } as React.CSSProperties
                                            }
                                        />
                                        <span
                                            className={css.time}
                                            style={((100 - right) / 100) * width < 54 ? { right: `${100 - left}%` } : { left: `${right}%` }}
                                        >
                                            {task.finished_at ? formatDuration(took) : formatElapsed(took ?? 0)}
                                        </span>
                                    </>
                                )}
                            </span>
                        </button>
                    );
                })}
            </div>
        </div>
    );
}
