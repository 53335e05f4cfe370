// Access and what leads in and out: tokens, hooks, notifications, and the audit of all that.
import { useMay } from '../../app/session';
import { PageBody, PageHead, Tabs, type Tab } from '../../ui';
import { useAddress } from '../lists/address';
import css from './admin.module.css';
import { Audit } from './Audit';
import { Hooks, Notifications } from './Hooks';
import { Tokens } from './Tokens';

type Id = 'tokens' | 'hooks' | 'notifications' | 'audit';

export default function Admin() {
    const [read, write] = useAddress();
    const may = useMay('admin');
    const tabs: Tab<Id>[] = [
        ...(may ? [{ id: 'tokens', title: 'Tokens' } as const] : []),
        { id: 'hooks', title: 'Webhooks in' },
        { id: 'notifications', title: 'Webhooks out' },
        { id: 'audit', title: 'Audit' },
    ];
    const asked = read('tab');
    const tab = tabs.find((one) => one.id === asked)?.id ?? tabs[0]!.id;
    return (
        <>
            <PageHead title="Administration" note="Who gets in, and what leads in and out" />
            <div className={css.tabs}>
                <Tabs
                    label="Administration"
                    tabs={tabs}
                    value={tab}
                    onChange={(id) => write({ tab: id === tabs[0]!.id ? null : id, notification: null, entry: null })}
                />
            </div>
            <PageBody fill>
                {tab === 'tokens' && <Tokens />}
                {tab === 'hooks' && <Hooks />}
                {tab === 'notifications' && <Notifications />}
                {tab === 'audit' && <Audit />}
            </PageBody>
        </>
    );
}
