import css from './Button.module.css';
import { Icon, type IconName } from './Icon';

interface ButtonProps extends React.ButtonHTMLAttributes<HTMLButtonElement> {
    /** primary: the one thing to do here; plain: without a frame, for bars. */
    kind?: 'normal' | 'primary' | 'plain';
    danger?: boolean;
    small?: boolean;
    icon?: IconName;
    /** It works on it: not to be pressed again. */
    busy?: boolean;
}

/** Without children, a button of its icon alone: then it needs an aria-label. */
export function Button({ kind = 'normal', danger, small, icon, busy, children, className, disabled, ...rest }: ButtonProps) {
    const classes = [css.button, kind !== 'normal' && css[kind], danger && css.danger, small && css.small, !children && css.icon, className];
    return (
        <button
            type="button"
            title={children ? undefined : rest['aria-label']}
            {...rest}
            disabled={disabled || busy}
            aria-busy={busy || undefined}
            className={classes.filter(Boolean).join(' ')}
        >
            {icon && <Icon name={icon} size={small ? 14 : 16} />}
            {children}
        </button>
    );
}
