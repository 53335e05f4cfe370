import css from './Skeleton.module.css';

export const Skeleton = ({ width = '8ch', height }: { width?: string | number; height?: number }) => (
    <span className={css.bar} style={{ width, height }} aria-hidden="true" />
);

/** As many rows as there will be about, so that nothing moves when they come. */
export function SkeletonRows({ count = 8 }: { count?: number }) {
    return (
        <div className={css.rows} role="status" aria-label="Loading">
            {Array.from({ length: count }, (_, i) => (
                <div key={i}>
                    <Skeleton width={`${10 + ((i * 7) % 9)}ch`} />
                    <Skeleton width={`${16 + ((i * 5) % 13)}ch`} />
                    <span className="spacer" />
                    <Skeleton width="6ch" />
                </div>
            ))}
        </div>
    );
}
