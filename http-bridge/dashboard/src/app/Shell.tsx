import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import type { Me } from '../api/types';
import { Button, Dialog, Empty, Icon, SkeletonRows } from '../ui';
import { ErrorBoundary } from './ErrorBoundary';
import { listen, type Shortcut } from './keyboard';
import { useLatestMetrics } from './metricsHistory';
import { pages, type PageEntry } from './pages';
import { Search } from './Search';
import { logOut } from './session';
import css from './Shell.module.css';
import { setTheme, useTheme, type Theme } from './theme';
import { useFeedStatus } from './useFeed';

const LoadDemo = lazy(async () => ({ default: (await import('../demo/LoadDemo')).LoadDemo }));

const groups = ['main', 'Waiting', 'Capacity', 'Access'] as const;
const inNav = pages.filter((page): page is PageEntry & { nav: NonNullable<PageEntry['nav']> } => page.nav !== undefined);

/** The page of the sidebar that a path belongs to: that of a run is the list of runs. */
const isCurrent = (path: string, location: string): boolean => (path === '/' ? location === '/' : location === path || location.startsWith(`${path}/`));

function Sidebar({ me, onGo }: { me: Me; onGo: () => void }) {
    const [location] = useLocation();
    const metrics = useLatestMetrics();
    const counts: Record<string, number | undefined> = {
        '/runs': metrics?.sum('orch_runs', { state: 'running' }),
        '/dead-letters': metrics?.sum('orch_dead_letters_open'),
    };
    return (
        <aside className={css.side} id="side">
            <Link href="/" className={css.brand} onClick={onGo}>
                <img src="/favicon.svg" width="22" height="22" alt="" />
                orch
            </Link>
            <nav aria-label="Pages" style={{ display: 'contents' }}>
                {groups.map((group) => {
                    const entries = inNav.filter((page) => page.nav.group === group);
                    if (entries.length === 0) return null;
                    return (
                        <div key={group} className={css.group}>
                            {group !== 'main' && <div className={css.heading}>{group}</div>}
                            {entries.map((page) => (
                                <Link
                                    key={page.path}
                                    href={page.path}
                                    className={css.item}
                                    aria-current={isCurrent(page.path, location) ? 'page' : undefined}
                                    onClick={onGo}
                                >
                                    <Icon name={page.nav.icon} />
                                    {page.title}
                                    {!!counts[page.path] && (
                                        <span className={`${css.count} ${page.path === '/dead-letters' ? css.loud : ''}`}>{counts[page.path]}</span>
                                    )}
                                </Link>
                            ))}
                        </div>
                    );
                })}
            </nav>
            <div className={css.me}>
                <div className={css.who}>
                    <div className="truncate" title={me.name}>
                        {me.name}
                    </div>
                    <div className="truncate">
                        {me.role} · {me.tenant}
                    </div>
                </div>
                <Button kind="plain" icon="out" aria-label="Log out" onClick={() => logOut()} />
            </div>
        </aside>
    );
}

function ThemeButton() {
    const theme = useTheme();
    const next: Record<Theme, Theme> = { system: 'dark', dark: 'light', light: 'system' };
    const icon = theme === 'system' ? 'system' : theme === 'dark' ? 'moon' : 'sun';
    return <Button kind="plain" icon={icon} aria-label={`Theme: ${theme}. Change to ${next[theme]}`} onClick={() => setTheme(next[theme])} />;
}

const liveWords = { connecting: 'Connecting', live: 'Live', waiting: 'Reconnecting', paused: 'Paused', ended: 'Ended' } as const;

function Live() {
    const status = useFeedStatus();
    if (status === null) return null;
    return (
        <div className={css.live} data-status={status} role="status" title={`Events: ${liveWords[status].toLowerCase()}`}>
            <span>{liveWords[status]}</span>
        </div>
    );
}

function Help({ shortcuts, onDemo, onClose }: { shortcuts: readonly Shortcut[]; onDemo?: () => void; onClose: () => void }) {
    const keys = (text: string) => (
        <dt>
            {text.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
            ))}
        </dt>
    );
    return (
        <Dialog title="Keyboard" onClose={onClose} width={420} footer={onDemo && <Button onClick={onDemo}>Load the demo …</Button>}>
            <dl className={css.keys}>
                {shortcuts.map((one) => (
                    <div key={one.keys} style={{ display: 'contents' }}>
                        {keys(one.keys)}
                        <dd>{one.title}</dd>
                    </div>
                ))}
                <h3>In lists</h3>
                {keys('j k')}
                <dd>Down and up; the arrows, Page and Home and End, too</dd>
                {keys('Enter')}
                <dd>Open</dd>
                {keys('x')}
                <dd>Choose, where several can be chosen</dd>
                {keys('Esc')}
                <dd>Close what is open</dd>
            </dl>
        </Dialog>
    );
}

export function Shell({ me }: { me: Me }) {
    const [location, navigate] = useLocation();
    const [dialog, setDialog] = useState<'search' | 'help' | 'demo' | null>(null);
    const [side, setSide] = useState(false);
    const main = useRef<HTMLElement>(null);
    const shortcuts = useMemo<Shortcut[]>(
        () => [
            { keys: '/', title: 'Search', run: () => setDialog('search') },
            { keys: '?', title: 'This help', run: () => setDialog('help') },
            ...inNav.map((page) => ({ keys: `g ${page.nav.key}`, title: page.title, run: () => navigate(page.path) })),
        ],
        [navigate],
    );
    useEffect(() => listen(shortcuts), [shortcuts]);
    // A new page begins at its top, with the keyboard in it.
    useEffect(() => {
        main.current?.scrollTo(0, 0);
        if (document.activeElement === document.body || document.activeElement?.closest('nav')) main.current?.focus({ preventScroll: true });
    }, [location]);
    return (
        <div className={`${css.shell} ${side ? css.opened : ''}`}>
            <a href="#main" className={css.skip}>
                To the content
            </a>
            <Sidebar me={me} onGo={() => setSide(false)} />
            {side && <button type="button" className={css.veil} aria-label="Close the menu" onClick={() => setSide(false)} />}
            <header className={css.top}>
                <Button
                    kind="plain"
                    icon="menu"
                    className={css.burger}
                    aria-label="Menu"
                    aria-controls="side"
                    aria-expanded={side}
                    onClick={() => setSide(true)}
                />
                <button type="button" className={css.search} onClick={() => setDialog('search')}>
                    <Icon name="search" size={14} />
                    <span className="truncate">Search or go to …</span>
                    <kbd className={css.kbd}>/</kbd>
                </button>
                <div className="spacer" />
                <Live />
                <ThemeButton />
                <Button kind="plain" icon="help" className={css.help} aria-label="Keyboard help" onClick={() => setDialog('help')} />
            </header>
            <main id="main" ref={main} className={css.main} tabIndex={-1}>
                <ErrorBoundary key={location}>
                    <Suspense fallback={<SkeletonRows count={10} />}>
                        <Switch>
                            {pages.map((page) => (
                                <Route key={page.path} path={page.path}>
                                    {(params) => <page.component params={params as Record<string, string | undefined>} />}
                                </Route>
                            ))}
                            <Route>
                                <Empty
                                    icon="search"
                                    title="There is no such page"
                                    actions={
                                        <Link href="/" className="link">
                                            To the overview
                                        </Link>
                                    }
                                >
                                    Nothing is at <code>{location}</code>.
                                </Empty>
                            </Route>
                        </Switch>
                    </Suspense>
                </ErrorBoundary>
            </main>
            {dialog === 'search' && <Search onClose={() => setDialog(null)} />}
            {dialog === 'help' && (
                <Help shortcuts={shortcuts} onDemo={me.role === 'admin' ? () => setDialog('demo') : undefined} onClose={() => setDialog(null)} />
            )}
            {dialog === 'demo' && (
                <Suspense>
                    <LoadDemo onClose={() => setDialog(null)} />
                </Suspense>
            )}
        </div>
    );
}
