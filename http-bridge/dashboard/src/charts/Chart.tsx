// A chart of values over time. The canvas takes its colours from the tokens, and is made anew when the theme changes.
import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useColours } from '../app/theme';
import { formatTime, type Tone } from '../ui';
import css from './Chart.module.css';

export interface Series {
    label: string;
    tone: Tone;
    values: (number | null)[];
    /** Filled down to the axis. */
    area?: boolean;
}

interface ChartProps {
    /** Milliseconds. */
    times: readonly number[];
    series: readonly Series[];
    /** What the x axis spans, in milliseconds, though there may be less. */
    range: [number, number];
    format: (value: number) => string;
    height?: number;
    label: string;
}

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function Chart({ times, series, range, format, height = 150, label }: ChartProps) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const theme = useColours();
    const [cursor, setCursor] = useState<number | null>(null);
    const shape = series.map((one) => `${one.label}:${one.tone}:${one.area ?? ''}`).join();
    const data = useMemo<uPlot.AlignedData>(() => [times.map((time) => time / 1000), ...series.map((one) => one.values)], [times, series]);
    const span = useRef(range);
    span.current = range;
    const formatNow = useRef(format);
    formatNow.current = format;

    useEffect(() => {
        const element = box.current!;
        const axis: uPlot.Axis = {
            stroke: colour('text-3'),
            font: `11px ${colour('sans')}`,
            grid: { stroke: colour('line'), width: 1 },
            ticks: { show: false },
        };
        const options: uPlot.Options = {
            width: Math.max(80, element.clientWidth),
            height,
            padding: [10, 12, 0, 0],
            legend: { show: false },
            cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
            scales: {
                x: { range: () => [span.current[0] / 1000, span.current[1] / 1000] },
                y: { range: (_, __, most) => [0, most > 0 ? most * 1.15 : 1] },
            },
            axes: [
                {
                    ...axis,
                    grid: { show: false },
                    space: 70,
                    size: 26,
                    values: (_, at) => at.map((one) => formatTime(one * 1000).slice(11, span.current[1] - span.current[0] < 300_000 ? 19 : 16)),
                },
                { ...axis, size: 46, gap: 4, space: 34, values: (_, at) => at.map((one) => formatNow.current(one)) },
            ],
            series: [
                {},
                ...series.map((one): uPlot.Series => ({
                    label: one.label,
                    stroke: colour(one.tone),
                    width: 1.5,
                    fill: one.area ? `color-mix(in srgb, ${colour(one.tone)} 14%, transparent)` : undefined,
                    points: { show: false },
                    spanGaps: false,
                })),
            ],
            hooks: { setCursor: [(self) => setCursor(self.cursor.idx ?? null)] },
        };
        const made = new uPlot(options, data, element);
        plot.current = made;
        const observer = new ResizeObserver(() => made.setSize({ width: Math.max(80, element.clientWidth), height }));
        observer.observe(element);
        return () => {
            observer.disconnect();
            made.destroy();
            plot.current = null;
        };
        // Data goes in below: a chart is made once for a shape.
    }, [shape, theme, height]);

    useEffect(() => plot.current?.setData(data), [data]);

    const at = cursor ?? times.length - 1;
    return (
        <div className={css.chart} role="img" aria-label={label}>
            <div className={css.legend}>
                {series.map((one) => {
                    const value = one.values[at];
                    return (
                        <span key={one.label} className={css.key} style={{ '--colour': `var(--${one.tone})` } as React.CSSProperties}>
                            {one.label}
                            <span className={css.value}>{value === null || value === undefined ? '–' : format(value)}</span>
                        </span>
                    );
                })}
                <span className="spacer" />
                <span className="faint">{cursor !== null && times[at] !== undefined ? formatTime(times[at]).slice(11) : ''}</span>
            </div>
            <div ref={box} className={css.plot} style={{ '--height': `${height}px` } as React.CSSProperties} />
        </div>
    );
}
