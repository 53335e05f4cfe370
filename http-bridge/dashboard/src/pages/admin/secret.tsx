import { Button, copyText, Dialog } from '../../ui';
import { listCss as css } from '../lists/List';

export interface Secret {
    title: string;
    /** What it is for. */
    about: React.ReactNode;
    value: string;
    /** Where it is sent to, for a hook. */
    address?: string;
}

const Line = ({ label, value }: { label: string; value: string }) => (
    <div className={css.secret}>
        <code>{value}</code>
        <Button small icon="copy" onClick={() => void copyText(value, `${label} copied`)} aria-label={`Copy the ${label.toLowerCase()}`}>
            Copy
        </Button>
    </div>
);

/** Shown this once: it is nowhere to be read again. */
export const ShownOnce = ({ secret, onClose }: { secret: Secret; onClose: () => void }) => (
    <Dialog
        title={secret.title}
        onClose={onClose}
        footer={
            <Button kind="primary" onClick={onClose}>
                I have it
            </Button>
        }
    >
        <p className="muted">{secret.about} It is shown this once and cannot be read again: the database keeps no more of it than it needs to know it.</p>
        <Line label="Secret" value={secret.value} />
        {secret.address && <Line label="Address" value={secret.address} />}
    </Dialog>
);
