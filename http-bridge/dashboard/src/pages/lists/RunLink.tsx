import { Link } from 'wouter';
import { segment } from '../../api/client';

/** A run by its id, at one of its tasks where that is told. Ids begin with their time: what tells them apart is their end. */
export const RunLink = ({ run, task }: { run: string; task?: string | null }) => (
    <Link href={`/runs/${segment(run)}${task ? `?task=${segment(task)}` : ''}`} className="link mono" title={run}>
        …{run.slice(-12)}
    </Link>
);
