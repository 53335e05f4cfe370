import { ApiError } from '../../api/client';
import { problemClass } from '../../ui/Dialog';
import css from './workflows.module.css';

/** A refusal as the database tells it, with every problem of a definition. */
export function Problem({ error }: { error: unknown }) {
    const problem = error instanceof ApiError ? error.problem : null;
    const parts = (problem?.problems ?? []).filter((one) => one.severity !== 'warning');
    return (
        <div className={problemClass} role="alert">
            <p>{problem?.title ?? (error instanceof Error ? error.message : String(error))}</p>
            {problem?.detail && <p>{problem.detail}</p>}
            {problem?.hint && <p>{problem.hint}</p>}
            {parts.length > 1 && (
                <ul className={css.parts}>
                    {parts.map((one, i) => (
                        <li key={i}>
                            <code>{one.path || '/'}</code> {one.message}
                        </li>
                    ))}
                </ul>
            )}
        </div>
    );
}
