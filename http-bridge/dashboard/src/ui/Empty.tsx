import { ApiError } from '../api/client';
import { Button } from './Button';
import css from './Empty.module.css';
import { Icon, type IconName } from './Icon';

/** What stands where nothing is: why, and what to do about it. */
export function Empty({ icon, title, children, actions }: { icon?: IconName; title: string; children?: React.ReactNode; actions?: React.ReactNode }) {
    return (
        <div className={css.empty}>
            {icon && <Icon name={icon} size={22} />}
            <p className={css.title}>{title}</p>
            {children && <div className={css.detail}>{children}</div>}
            {actions && <div className={css.actions}>{actions}</div>}
        </div>
    );
}

/** What went wrong, in the words of the database where it was that. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
    const problem = error instanceof ApiError ? error.problem : null;
    return (
        <div className={css.empty} role="alert">
            <Icon name="warning" size={22} />
            <p className={css.title}>{problem?.title ?? (error instanceof Error ? error.message : 'Something went wrong here.')}</p>
            {problem?.detail && <p className={css.detail}>{problem.detail}</p>}
            {problem?.hint && <p className={css.detail}>{problem.hint}</p>}
            {problem?.code && <p className={`${css.code} mono`}>{problem.code}</p>}
            {onRetry && (
                <div className={css.actions}>
                    <Button icon="retry" onClick={onRetry}>
                        Try again
                    </Button>
                </div>
            )}
        </div>
    );
}
