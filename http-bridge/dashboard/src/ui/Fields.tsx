import { useId } from 'react';
import css from './Fields.module.css';

interface FieldProps {
    label: string;
    hint?: React.ReactNode;
    error?: string | null;
}

interface Wired {
    id: string;
    'aria-describedby'?: string;
    'aria-invalid'?: true;
}

function Field({ label, hint, error, children }: FieldProps & { children: (wired: Wired) => React.ReactNode }) {
    const id = useId();
    const told = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
    return (
        <div className={css.field}>
            <label className={css.label} htmlFor={id}>
                {label}
            </label>
            {children({ id, 'aria-describedby': told, 'aria-invalid': error ? true : undefined })}
            {error ? (
                <div className={css.error} id={`${id}-error`} role="alert">
                    {error}
                </div>
            ) : (
                hint && (
                    <div className={css.hint} id={`${id}-hint`}>
                        {hint}
                    </div>
                )
            )}
        </div>
    );
}

type InputProps = Omit<React.InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value' | 'id'>;

export function TextField({ label, hint, error, value, onChange, ...rest }: FieldProps & InputProps & { value: string; onChange: (value: string) => void }) {
    return (
        <Field label={label} hint={hint} error={error}>
            {(wired) => (
                <input
                    spellCheck={false}
                    autoComplete="off"
                    {...rest}
                    {...wired}
                    className={css.input}
                    value={value}
                    onChange={(e) => onChange(e.target.value)}
                />
            )}
        </Field>
    );
}

/** Several lines in the fixed-width font: JSON, YAML. The tab key writes two spaces; Esc and then Tab leaves it. */
export function CodeField({
    label,
    hint,
    error,
    value,
    onChange,
    rows = 8,
    ...rest
}: FieldProps & { value: string; onChange: (value: string) => void; rows?: number } & Omit<
        React.TextareaHTMLAttributes<HTMLTextAreaElement>,
        'onChange' | 'value' | 'id'
    >) {
    return (
        <Field label={label} hint={hint} error={error}>
            {(wired) => (
                <textarea
                    spellCheck={false}
                    autoComplete="off"
                    {...rest}
                    {...wired}
                    rows={rows}
                    className={css.input}
                    value={value}
                    onChange={(e) => onChange(e.target.value)}
                />
            )}
        </Field>
    );
}

export function SelectField<Value extends string>({
    label,
    hint,
    error,
    value,
    onChange,
    options,
}: FieldProps & { value: Value; onChange: (value: Value) => void; options: readonly (readonly [Value, string])[] }) {
    return (
        <Field label={label} hint={hint} error={error}>
            {(wired) => (
                <select {...wired} className={css.input} value={value} onChange={(e) => onChange(e.target.value as Value)}>
                    {options.map(([id, text]) => (
                        <option key={id} value={id}>
                            {text}
                        </option>
                    ))}
                </select>
            )}
        </Field>
    );
}

export function CheckField({ label, checked, onChange }: { label: React.ReactNode; checked: boolean; onChange: (checked: boolean) => void }) {
    return (
        <label className={css.check}>
            <input type="checkbox" checked={checked} onChange={(e) => onChange(e.target.checked)} />
            <span>{label}</span>
        </label>
    );
}

/** A field for bars above lists: its label is there for readers of the screen alone. */
export function FilterInput({ label, value, onChange, ...rest }: InputProps & { label: string; value: string; onChange: (value: string) => void }) {
    return (
        <input
            spellCheck={false}
            autoComplete="off"
            placeholder={label}
            aria-label={label}
            {...rest}
            className={css.input}
            value={value}
            onChange={(e) => onChange(e.target.value)}
        />
    );
}

export function FilterSelect<Value extends string>({
    label,
    value,
    onChange,
    options,
}: {
    label: string;
    value: Value;
    onChange: (value: Value) => void;
    options: readonly (readonly [Value, string])[];
}) {
    return (
        <select aria-label={label} className={css.input} value={value} onChange={(e) => onChange(e.target.value as Value)}>
            {options.map(([id, text]) => (
                <option key={id} value={id}>
                    {text}
                </option>
            ))}
        </select>
    );
}
