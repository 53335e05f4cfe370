import { useQuery } from '@tanstack/react-query';
import { get, segment } from '../api/client';
import type { RunDetail } from '../api/types';
import type { PageProps } from '../app/pages';
import { Failure, PageHead, SkeletonRows, StateBadge } from '../ui';

export default function RunPage({ params }: PageProps) {
    const run = useQuery({ queryKey: ['run', params['run']], queryFn: ({ signal }) => get<RunDetail>(`/runs/${segment(params['run']!)}`, undefined, signal) });
    if (run.isPending) return <SkeletonRows />;
    if (run.isError) return <Failure error={run.error} onRetry={() => void run.refetch()} />;
    return <PageHead title={run.data.workflow} note={<StateBadge state={run.data.state} pill />} />;
}
