// The scrapes of this tab, half an hour of them: charts go on where they were when one comes back to the page.
import { useQuery } from '@tanstack/react-query';
import { send } from '../api/client';
import { Metrics, parseMetrics } from '../api/metrics';

const keep = 30 * 60_000;
let history: readonly Metrics[] = [];

async function scrape(): Promise<readonly Metrics[]> {
    const response = await send('GET', '/metrics', { headers: { Accept: 'text/plain' } });
    const now = new Metrics(parseMetrics(await response.text()), Date.now());
    history = [...history.filter((one) => one.at > now.at - keep), now];
    return history;
}

export const metricsQuery = { queryKey: ['metrics'], queryFn: scrape, gcTime: keep, staleTime: 1500 } as const;

/** All scrapes so far, and a new one each `every` milliseconds. */
export const useMetricsHistory = (every: number) => useQuery({ ...metricsQuery, refetchInterval: every });

export const useLatestMetrics = (): Metrics | undefined => useQuery({ ...metricsQuery, refetchInterval: 10_000 }).data?.at(-1);
